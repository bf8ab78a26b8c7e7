"""Duplicates against all pairs, one by one, with distances by another formula."""

from __future__ import annotations

from math import atan, atan2, cos, radians, sin, sqrt, tan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.cases.clocks.limits import load_limits
from cityloom.cases.insight.duplicates import (
    DuplicateRules,
    Nearness,
    Told,
    alike,
    duplicates,
    load_duplicate_rules,
    make_duplicate_rules,
)
from cityloom.model.errors import ConfigurationError

HOUR = 3_600_000_000
RULES = DuplicateRules(
    version="test",
    default=Nearness(metres=50, hours=24),
    types={"tree": Nearness(metres=200, hours=2)},
    nowhere=((10.0, 50.0),),
)


def _vincenty(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two positions on WGS 84, by Vincenty's inverse formula (Survey Review 23, 1975)."""
    axis, flat = 6378137.0, 1 / 298.257223563
    minor = axis * (1 - flat)
    if one == other:
        return 0.0
    apart = radians((other[0] - one[0] + 540) % 360 - 180)
    low, high = (atan((1 - flat) * tan(radians(lat))) for lat in (one[1], other[1]))
    turn = apart
    for _ in range(50):
        sine = sqrt(
            (cos(high) * sin(turn)) ** 2 + (cos(low) * sin(high) - sin(low) * cos(high) * cos(turn)) ** 2
        )
        cosine = sin(low) * sin(high) + cos(low) * cos(high) * cos(turn)
        angle = atan2(sine, cosine)
        azimuth = cos(low) * cos(high) * sin(turn) / sine
        square = 1 - azimuth**2
        middle = cosine - 2 * sin(low) * sin(high) / square if square else 0.0
        c = flat / 16 * square * (4 + flat * (4 - 3 * square))
        turn = apart + (1 - c) * flat * azimuth * (
            angle + c * sine * (middle + c * cosine * (2 * middle**2 - 1))
        )
    u = square * (axis**2 - minor**2) / minor**2
    a = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    b = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    bend = middle + b / 4 * (
        cosine * (2 * middle**2 - 1) - b / 6 * middle * (4 * sine**2 - 3) * (4 * middle**2 - 3)
    )
    return minor * a * (angle - b * sine * bend)


_reports = st.tuples(
    st.sampled_from(["lamp", "tree"]),
    st.integers(-30 * HOUR, 30 * HOUR),
    st.one_of(
        st.none(),
        st.just((10.0, 50.0)),
        st.tuples(st.floats(-0.003, 0.003), st.floats(-0.003, 0.003)),
    ),
)


@given(
    corner=st.sampled_from([(10.002, 50.0), (121.5, 31.2), (-71.06, 42.36), (179.9995, -16.5), (20.0, 84.0)]),
    new=_reports,
    others=st.lists(_reports, max_size=25),
)
@settings(max_examples=150, deadline=None)
def test_duplicates_are_all_that_are_near_and_no_other(
    corner: tuple[float, float], new: Any, others: list[Any]
) -> None:
    def told(number: int, drawn: Any) -> Told:
        kind, at, shift = drawn
        place = shift
        if shift is not None and shift != (10.0, 50.0):
            place = ((corner[0] + shift[0] + 180) % 360 - 180, corner[1] + shift[1])
        return Told(case=f"case:{number}", type=kind, at=at, place=place)

    reported = told(0, new)
    all_of_them = [told(number, drawn) for number, drawn in enumerate(others, 1)]
    near = RULES.of(reported.type)
    expected, unsure = set(), set()
    for other in all_of_them:
        if other.type != reported.type or abs(other.at - reported.at) > near.hours * HOUR:
            continue
        if reported.place is None or other.place is None:
            continue
        if any(
            abs(place[0] - 10) <= 1e-4 and abs(place[1] - 50) <= 1e-4
            for place in (reported.place, other.place)
        ):
            continue
        metres = _vincenty(reported.place, other.place)
        if metres <= near.metres:
            expected.add(other.case)
        if abs(metres - near.metres) < 0.001:
            unsure.add(other.case)
    found = duplicates(reported, [reported, *all_of_them], RULES)
    assert {one.case for one in found} ^ expected <= unsure
    for one in found:
        other = all_of_them[int(one.case.split(":")[1]) - 1]
        assert reported.place is not None
        assert other.place is not None
        assert one.metres == pytest.approx(_vincenty(reported.place, other.place), abs=0.051)
        assert one.apart == other.at - reported.at
        assert 0 <= one.score <= 1
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("corner", [(0.0, 0.001), (10.002, 50.0), (-71.06, 42.36), (20.0, 84.0)])
@pytest.mark.parametrize("east", [True, False])
def test_the_limit_is_kept_to_the_centimetre(corner: tuple[float, float], east: bool) -> None:
    def apart(metres: float) -> tuple[float, float]:
        """The position so far to the east or the south, found by halving."""
        low, high = 0.0, 0.01
        for _ in range(60):
            middle = (low + high) / 2
            place = (corner[0] + middle, corner[1]) if east else (corner[0], corner[1] - middle)
            low, high = (middle, high) if _vincenty(corner, place) < metres else (low, middle)
        return place

    new = Told(case="new", type="lamp", at=0, place=corner)
    others = [
        Told(case=f"{metres}", type="lamp", at=hours, place=apart(metres))
        for metres in (49.99, 50.01)
        for hours in (24 * HOUR, -24 * HOUR - 1)
    ]
    assert [one.case for one in duplicates(new, others, RULES)] == ["49.99"]


def test_the_reason_tells_distance_and_time_in_both_languages() -> None:
    new = Told(case="new", type="lamp", at=100 * HOUR, place=(0.0, 0.0), text="Lamp is out at the bus stop")
    other = Told(
        case="old", type="lamp", at=98 * HOUR - 1, place=(0.0002, 0.0), text="lamp out at the bus stop"
    )
    (found,) = duplicates(new, [other], RULES)
    assert found.reason["en"] == (
        "the same type (lamp), 22 m away, reported 2 hours earlier, in similar words; within 50 m and a day"
    )
    assert found.reason["zh"].endswith("相距 22 米，早 2 小时上报，描述相近；在 50 米、1 天以内")
    assert found.rules == "test"


@pytest.mark.parametrize(
    ("seconds", "hours", "english", "chinese"),
    [
        (-59, 168, "reported at the same time; within 30 m and a week", "同时上报；在 30 米、1 周以内"),
        (0, 1, "reported at the same time; within 30 m and an hour", "同时上报；在 30 米、1 小时以内"),
        (-60, 48, "reported 1 minute earlier; within 30 m and 2 days", "早 1 分钟上报；在 30 米、2 天以内"),
        (
            330,
            1.5,
            "reported 5 minutes later; within 30 m and 1.5 hours",
            "晚 5 分钟上报；在 30 米、1.5 小时以内",
        ),
        (
            90_061,
            336,
            "reported 1 day 1 hour later; within 30 m and 2 weeks",
            "晚 1 天 1 小时上报；在 30 米、2 周以内",
        ),
        (86_461, 72, "reported 1 day later; within 30 m and 3 days", "晚 1 天上报；在 30 米、3 天以内"),
    ],
)
def test_the_reason_tells_time_as_people_do(seconds: int, hours: float, english: str, chinese: str) -> None:
    new = Told(case="new", type="lamp", at=0, place=(0.0, 0.0))
    other = Told(case="old", type="lamp", at=seconds * 1_000_000, place=(0.0001, 0.0))
    rules = DuplicateRules(version="test", default=Nearness(metres=30, hours=hours))
    (found,) = duplicates(new, [other], rules)
    assert found.reason == {
        "en": f"the same type (lamp), 11 m away, {english}",
        "zh": f"类型相同（lamp），相距 11 米，{chinese}",
    }


def test_words_that_are_alike_come_first_and_others_stay() -> None:
    new = Told(case="new", type="lamp", at=0, place=(0.0, 0.0), text="路灯不亮")
    same = Told(case="same", type="lamp", at=0, place=(0.0003, 0.0), text="路灯不亮了")
    differs = Told(case="differs", type="lamp", at=0, place=(0.0002, 0.0), text="灯杆被车撞倒")
    assert [one.case for one in duplicates(new, [differs, same], RULES)] == ["same", "differs"]


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("street light out", "Street-light: OUT!", 1.0, 1.0),
        ("路灯不亮", "路灯坏了不亮", 0.5, 0.8),
        ("pothole", "dead animal", 0.0, 0.2),
        ("灯", "灯", 1.0, 1.0),
    ],
)
def test_likeness_knows_both_scripts(one: str, other: str, least: float, most: float) -> None:
    found = alike(one, other)
    assert found is not None
    assert least - 1e-9 <= found <= most + 1e-9
    assert alike(other, one) == pytest.approx(found)
    assert alike(one, " …") is None


def test_the_limits_that_come_with_the_package_are_of_types_that_exist() -> None:
    rules = load_duplicate_rules()
    assert set(rules.types) <= set(load_limits().told.types)
    assert rules.of("no such type") == Nearness(metres=50, hours=24)


@pytest.mark.parametrize(
    "wrong", [{"default": {"metres": 0, "hours": 1}}, {"default": {"metres": 1}}, {"x": 1}]
)
def test_limits_that_cannot_be_are_refused_with_their_place(wrong: dict[str, object]) -> None:
    values = {"version": "1", "default": {"metres": 1, "hours": 1}} | wrong
    with pytest.raises(ConfigurationError, match=r"here\.yaml: .*invalid"):
        make_duplicate_rules(values, "here.yaml")
