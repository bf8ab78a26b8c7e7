"""Which cases repeat an earlier one: against a look at every pair, and in the figures of kept cases."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cases.town import RULES, town
from cityloom.cases.insight.duplicates import Told, make_duplicate_rules
from cityloom.cases.insight.repeats import repeats_of
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.looks.evaluated import CaseEvaluations, EvaluationWish

HOUR = 3_600_000_000
RULES_OF = make_duplicate_rules(
    {
        "version": "1",
        "default": {"metres": 50, "hours": 24},
        "types": {"tree": {"metres": 200, "hours": 2}},
        "nowhere": [[10.0, 60.0]],
    },
    "test",
)
LENGTHS = {"lamp": (50, 24), "tree": (200, 2)}


@st.composite
def told(draw: st.DrawFn) -> list[Told]:
    found = []
    for number in range(draw(st.integers(0, 14))):
        place = draw(
            st.one_of(
                st.none(),
                st.just((10.0, 60.0)),
                st.tuples(st.integers(0, 12), st.integers(0, 12)).map(
                    lambda at: (10.1 + at[0] * 4e-4, 59.999 + at[1] * 2e-4)
                ),
            )
        )
        kind = draw(st.sampled_from(["lamp", "tree", ""]))
        found.append(Told(case=f"case:{number}", type=kind, at=draw(st.integers(0, 30)) * HOUR, place=place))
    return found


@given(cases=told())
@settings(max_examples=150, deadline=None)
def test_a_case_repeats_an_earlier_one_that_is_near(cases: list[Told]) -> None:
    found = repeats_of(cases, RULES_OF)
    ellipsoid = Geod(ellps="WGS84")
    for one in cases:
        if not one.type or one.place is None or one.place == (10.0, 60.0):
            assert one.case not in found
            continue
        metres, hours = LENGTHS[one.type]
        near = {
            other.case
            for other in cases
            if other.type == one.type
            and other.place not in (None, (10.0, 60.0))
            and (other.at, other.case) < (one.at, one.case)
            and one.at - other.at <= hours * HOUR
            and ellipsoid.inv(*one.place, *(other.place or (0.0, 0.0)))[2] <= metres
        }
        assert found[one.case] in near if near else found[one.case] == ""


async def test_repeats_of_kept_cases_are_counted_and_missed_reports_are_not_reported(tmp_path: Path) -> None:
    def at(lon: float) -> dict[str, object]:
        return {"type": "Point", "coordinates": [lon, 30.2]}

    with town(tmp_path) as place:
        first = await place.handled(location=at(123.4))
        place.clock.advance(3600)
        again = await place.handled(location=at(123.4002))
        far = await place.handled(location=at(123.41))
        nowhere = await place.handled()
        merged = await place.handled()
        await place.move(merged, "merge", role="shiftLeader", into=far, reason="the same lamp")
        # More than a page of a query holds, each far from the others, and one more at the last.
        for number in range(22):
            await place.report(location=at(123.42 + number / 1000))
        last = await place.handled(location=at(123.441))
        place.clock.advance(60)
        evaluations = CaseEvaluations(place.store, place.access, place.clock, RuleBook(RULES))
        ever = EvaluationWish(since="2026-01-01T00:00:00Z", until="2027-01-01T00:00:00Z")
        whole = await evaluations.evaluation(place.call(), ever)
        figures = {one.indicator: one for one in whole.groups[0].figures}
        repeat, missed = figures["UM-REPEAT"], figures["UM-MISSED"]
        assert (repeat.value, repeat.numerator, repeat.denominator) == (60, 3, 5)
        assert (repeat.why, repeat.apart) == ("", {"withoutPlace": 1})
        assert (missed.value, missed.why) == (None, "notReported")
        assert figures["PRJ-REOPEN"].why == "nothingDue"
        reasons = {one.id: one.not_reported for one in whole.indicators}
        assert "patrol" in reasons["UM-MISSED"]["en"]
        assert reasons["UM-MISSED"]["zh"]
        assert reasons["UM-REPEAT"] == {}
        behind = {
            part: (
                await evaluations.members(place.call(), ever, indicator="UM-REPEAT", part=part, limit=10)
            ).cases
            for part in ("numerator", "denominator", "withoutPlace")
        }
        assert behind == {
            "numerator": (again, merged, last),
            "denominator": (first, again, far, merged, last),
            "withoutPlace": (nowhere,),
        }
