"""Suggestions on reports that nothing was learnt or tuned on, beside keywords; learning; refusals."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.cases.clocks.limits import load_limits
from cityloom.cases.insight.suggest import (
    Example,
    Suggester,
    Suggestion,
    Suggestions,
    _Learnt,
    _sum,
    _Sums,
    first_examples,
    refused,
)
from cityloom.cases.insight.words import words_of
from cityloom.model.errors import ConfigurationError
from cityloom.yamlfile import load_yaml

LIMITS = load_limits()
FIRST = first_examples(LIMITS)
REPORTS: list[tuple[str, str, str]] = [
    (language, kind, text)
    for kind, languages in load_yaml(Path(__file__).parent / "reports.yaml")["reports"].items()
    for language, texts in languages.items()
    for text in texts
]


@pytest.fixture(scope="module")
def beginner() -> Suggester:
    """What a new city begins with: nothing was closed yet."""
    return Suggester(FIRST)


class Keywords:
    """The baseline: the type with most of its words (pairs of characters in Chinese) in the text."""

    def __init__(self, examples: list[Example]) -> None:
        self.words: dict[str, set[str]] = {}
        for example in examples:
            self.words.setdefault(example.type, set()).update(self.split(example.text))

    def split(self, text: str) -> set[str]:
        pairs = [
            run[at : at + 2] for run in re.findall("[\u4e00-\u9fff]+", text) for at in range(len(run) - 1)
        ]
        return {word for word in re.findall("[a-z]+", text.lower()) if len(word) > 3} | set(pairs)

    def rank(self, text: str) -> list[str]:
        words = self.split(text)
        return sorted(self.words, key=lambda kind: -len(self.words[kind] & words))


def shares(rank: dict[str, list[str]], language: str) -> tuple[float, float]:
    """How often the type is the first, and among the first three."""
    told = [(kind, rank[text]) for of, kind, text in REPORTS if of == language]
    return (
        sum(kind in ranked[:1] for kind, ranked in told) / len(told),
        sum(kind in ranked[:3] for kind, ranked in told) / len(told),
    )


def test_reports_are_of_all_types_and_not_what_was_learnt() -> None:
    assert {kind for _, kind, _ in REPORTS} == set(LIMITS.told.types)
    assert not {text for _, _, text in REPORTS} & {example.text for example in FIRST}
    assert len(REPORTS) == 4 * len(LIMITS.told.types)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_beginner_suggests_better_than_keywords(beginner: Suggester, language: str) -> None:
    names = Keywords(
        [
            Example(text=text, type=code)
            for code, row in LIMITS.told.types.items()
            for text in row.title.values()
        ]
    )
    phrases = Keywords(FIRST)
    found = {
        "keywords of the names": shares({text: names.rank(text) for _, _, text in REPORTS}, language),
        "keywords of names and phrases": shares(
            {text: phrases.rank(text) for _, _, text in REPORTS}, language
        ),
        "suggestions": shares(
            {text: [one.value for one in beginner.suggest(text, least=0).types] for _, _, text in REPORTS},
            language,
        ),
    }
    for name, (first, three) in found.items():
        print(f"{language}: {name}: first {first:.1%}, among three {three:.1%}")
    for number in (0, 1):
        assert found["suggestions"][number] > found["keywords of the names"][number]
        assert found["suggestions"][number] > found["keywords of names and phrases"][number]


def test_confidence_is_no_more_than_how_often_it_is_right(beginner: Suggester) -> None:
    bins: dict[int, list[tuple[float, bool]]] = {}
    silent = 0
    for _, kind, text in REPORTS:
        found = beginner.suggest(text, least=0)
        assert found.known == bool(found.types)
        if not found.types:  # no word of it is known: nothing is said, so nothing can be right
            silent += 1
            continue
        first, sure = found.types[0], found.types[0].confidence or 0.0
        assert first.because
        bins.setdefault(min(4, int(sure * 5)), []).append((sure, first.value == kind))
    print(f"nothing suggested: {silent} of {len(REPORTS)}")
    rights = []
    for _, held in sorted(bins.items()):
        sure, right = sum(one for one, _ in held) / len(held), sum(one for _, one in held) / len(held)
        print(f"confidence {sure:.2f}: right {right:.2f} of {len(held)}")
        rights.append(right)
        assert right > sure - 0.1
    assert rights == sorted(rights)


def test_what_the_city_closed_teaches_types_that_only_have_names() -> None:
    names = [
        Example(text=text, type=code)
        for code, row in LIMITS.told.types.items()
        for text in row.title.values()
    ]
    closed = [
        Example(text=text, type=kind, department=f"dept of {kind[0]}") for _, kind, text in REPORTS[::2]
    ]
    others = REPORTS[1::2]

    def right(suggester: Suggester) -> int:
        first = [(kind, suggester.suggest(text, most=1, least=0).types) for _, kind, text in others]
        return sum(found[0].value == kind for kind, found in first if found)

    before, learnt = Suggester(names), Suggester(names, closed)
    print(f"names alone: {right(before)}, with {len(closed)} closed: {right(learnt)} of {len(others)}")
    assert right(learnt) > right(before)
    beginner, both = Suggester(FIRST), Suggester(FIRST, closed)
    print(f"with phrases: {right(beginner)}, with {len(closed)} closed: {right(both)} of {len(others)}")
    assert right(both) >= right(beginner) - 3
    assert len({before.model, learnt.model, beginner.model, both.model}) == 4
    found = both.suggest("路灯不亮")
    assert found.types[0].value == "street-light"
    assert found.departments[0].value == "dept of s"
    assert beginner.suggest("路灯不亮").departments == ()


LANDING = [
    "gangway of the ferry is slippery",
    "ferry left before its time",
    "no railing on the gangway at the quay",
    "the landing stage moves too much when the ferry comes",
    "渡轮码头的跳板太滑",
    "渡轮提前开走了",
    "码头跳板没有扶手",
    "轮渡栈桥晃得厉害",
]
WELL = [
    "hand pump gives brown water",
    "the handle of the village pump is broken",
    "well smells of sulphur",
    "pump of the old well runs dry",
    "村口水井的水发黄",
    "手压井的把手断了",
    "老井没有水了",
    "井水有硫磺味",
]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I slipped on the gangway of the ferry", "landing"),
        ("轮渡码头的跳板断了", "landing"),
        ("brown water from the village pump", "well"),
        ("手压井出水发黄", "well"),
        ("pothole in the road", "damaged-road"),
        ("路灯不亮", "street-light"),
    ],
)
def test_types_of_the_citys_own_are_learnt_from_what_it_closed(text: str, kind: str) -> None:
    assert _OWN.suggest(text).types[0].value == kind


_OWN = Suggester(
    FIRST,
    [
        Example(text=text, type=kind)
        for kind, texts in (("landing", LANDING), ("well", WELL))
        for text in texts
    ],
)


def test_an_example_that_is_left_out_is_as_if_it_had_not_been_learnt() -> None:
    texts = ["ferry late", "ferry gone", "landing wet", "road wet", "road gone", "late road"]
    kinds = ["landing", "landing", "landing", "road", "road", "road"]
    examples = [Example(text=text, type=kind) for text, kind in zip(texts, kinds, strict=True)]
    whole = Suggester(examples[:2], examples[2:])
    for number, example in enumerate(examples):
        is_closed = number >= 2
        # Only what another example knows, too, can be known of it.
        vector = whole._vector(words_of(example.text), 2)
        sums = {False: _Sums(), True: _Sums()}
        for other, one in enumerate(examples):
            if other != number:
                sums[other >= 2].add(whole._vector(words_of(one.text)), one.type)
        for weight in (0.5, 2.0):
            angles = whole._without(_Learnt(words_of(example.text), example.type, is_closed))
            found = _sum(angles, weight)
            for kind in ("landing", "road"):
                held: dict[str, float] = {}
                for closed, each in sums.items():
                    for piece, of in each.of.items():
                        held[piece] = held.get(piece, 0.0) + of.get(kind, 0.0) * (weight if closed else 1)
                length = sum(one * one for one in held.values()) ** 0.5
                product = sum(one * held.get(piece, 0.0) for piece, one in vector.items())
                assert found.get(kind, 0.0) == pytest.approx(product / length if length else 0, abs=1e-9)


def test_a_suggestion_tells_which_words_it_is_by(beginner: Suggester) -> None:
    first = beginner.suggest("There is a pothole here").types[0]
    assert first.value == "damaged-road"
    assert "pothole" in first.because


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345 678",
        "?!",
        "qqqq",
        "the of and",
        "asdf qwer",
        "xyz",
        "lorem ipsum",
        "- -- -",
        "啊啊啊",
        "呵呵",
    ],
)
def test_nothing_is_suggested_where_no_word_is_known(beginner: Suggester, text: str) -> None:
    assert beginner.suggest(text, least=0) == Suggestions(model=beginner.model)


@given(text=st.text(alphabet="bcdfghjklmnpqrstvwxz ", max_size=60))
def test_letters_that_make_no_word_say_nothing(text: str) -> None:
    words = {word for one in words_of(text) for word, _ in one.pieces}
    found = _SHARED.suggest(text, least=0)
    # What is suggested for a text is what is suggested for those of its words that are known.
    known = [word for word in sorted(words) if _SHARED.suggest(word, least=0).known]
    assert found.known == bool(known)
    assert set(found.types[0].because if found.types else ()) <= set(known)


def test_words_that_are_not_known_take_nothing_from_those_that_are(beginner: Suggester) -> None:
    assert beginner.suggest("asdf pothole qwer").types == beginner.suggest("pothole").types
    # One of a thing and several of it, and a word that begins alike.
    for text in ("potholes", "bins", "flooding", "puddles of sewage"):
        assert beginner.suggest(text, least=0).known, text


EVERYDAY = {
    "路灯不亮": ("street-light",),
    "井盖丢失": ("sewage-cover", "water-cover", "storm-water-cover"),
    "积水": ("flooded-road",),
    "垃圾满溢": ("overflowing-bin",),
    "噪音扰民": ("commercial-noise", "construction-noise"),
    "共享单车乱停": ("bicycle-parking",),
    "树倒了": ("street-tree",),
    "马路有坑": ("damaged-road",),
    "下水道堵了": ("blocked-sewer",),
    "street light out": ("street-light",),
    "pothole": ("damaged-road",),
    "overflowing bin": ("overflowing-bin",),
    "fallen tree": ("street-tree",),
    "flooded street": ("flooded-road",),
    "noise": ("commercial-noise", "construction-noise"),
}
OPENED = (
    ("The river is over its alert mark / 河道水位超警戒", "flooded-road", "water", 3),
    ("The lamp is dark at night / 路灯夜间不亮", "street-light", "lighting", 38),
    ("The container is full / 垃圾箱满溢", "overflowing-bin", "sanitation", 288),
)
"""What the sample city's opening rules write, and how often within its thirty days."""


@pytest.fixture(scope="module")
def ruled() -> Suggester:
    """A city whose rules opened nearly all that it closed, in the same words each time."""
    return Suggester(
        FIRST,
        [
            Example(text=text, type=kind, department=name)
            for text, kind, name, times in OPENED
            for _ in range(times)
        ],
    )


@pytest.mark.parametrize("text", EVERYDAY)
def test_everyday_words_find_their_type_wherever_a_rule_writes_too(
    beginner: Suggester, ruled: Suggester, text: str
) -> None:
    for suggester in (beginner, ruled):
        found = [(one.value, one.confidence) for one in suggester.suggest(text).types]
        assert found, text
        assert found[0][0] in EVERYDAY[text], (text, found)


def test_what_is_told_again_in_the_same_words_teaches_once_and_makes_nothing_sure(ruled: Suggester) -> None:
    once = Suggester(
        FIRST, [Example(text=text, type=kind, department=name) for text, kind, name, _ in OPENED]
    )
    for text, kind, name, times in OPENED:
        found = ruled.suggest(text)
        assert found.types == once.suggest(text).types
        assert found.types[0].value == kind
        assert 0 < (found.types[0].confidence or 0) < 1
        # Of departments each closed case counts.
        handled = ruled.suggest(text, known=kind).departments
        assert [(one.value, one.confidence) for one in handled] == [(name, round(times / (times + 1), 3))]


def test_what_is_closed_in_one_writing_makes_a_type_no_farther_in_the_other(beginner: Suggester) -> None:
    closed = [
        Example(text=f"the underpass {word} the station stands under water again", type="flooded-road")
        for word in ("behind", "below", "beside", "before", "past", "opposite")
    ]
    learnt = Suggester(FIRST, closed)
    for text in ("积水", "路面积水很深"):
        assert learnt.suggest(text).types[0].value == "flooded-road"
        assert beginner.suggest(text).types[0].value == "flooded-road"


@given(text=st.text(max_size=200), most=st.integers(1, 50), least=st.floats(0, 1))
def test_confidences_are_shares_in_order(text: str, most: int, least: float) -> None:
    found = _SHARED.suggest(text, most, least)
    sure = [one.confidence or 0.0 for one in found.types]
    assert sure == sorted(sure, reverse=True)
    assert all(least - 0.001 <= one < 1 for one in sure)
    assert all(one.because for one in found.types)
    assert sum(sure) <= 1.02
    assert len(sure) <= most
    assert found == _SHARED.suggest(text, most, least)


_SHARED = Suggester(FIRST)


def test_the_same_examples_make_the_same_model_and_a_single_one_suffices(beginner: Suggester) -> None:
    assert _SHARED.suggest("路面有坑") == beginner.suggest("路面有坑")
    one = Suggester([Example(text="lamp", type="street-light")])
    assert one.suggest("a lamp").types[0].value == "street-light"


def test_a_refusal_is_told_without_a_word_of_the_text(beginner: Suggester) -> None:
    text = "Call Jane Roe on 555-0100, pothole on Station Road"
    found = beginner.suggest(text)
    told = refused(found, "type", ["road-collapse"], case="case:1", actor="urn:party:1", at=5)
    assert told is not None
    assert (told.chosen, told.suggested[0].value, told.model) == (
        "road-collapse",
        "damaged-road",
        beginner.model,
    )
    assert found.types[0].because
    written = msgspec.json.encode(told).decode().replace("damaged-road", "").replace("road-collapse", "")
    assert not set(re.findall("[a-z0-9]+", text.lower())) & set(re.findall("[a-z0-9]+", written.lower()))
    assert refused(found, "type", ["damaged-road"], case="case:1", actor="a", at=5) is None
    assert refused(found, "department", ["roads"], case="case:1", actor="a", at=5) is None
    of_department = Suggestions(departments=(Suggestion(value="water", confidence=0.9),), model="m")
    assert refused(of_department, "department", ["roads"], case="case:1", actor="a", at=5) is not None
    # Among several departments, the suggested one is one of them or is not.
    assert refused(of_department, "department", ["roads", "water"], case="case:1", actor="a", at=5) is None
    split = refused(of_department, "department", ["roads", "parks"], case="case:1", actor="a", at=5)
    assert split is not None
    assert split.chosen == "roads,parks"


def test_phrases_of_types_that_a_city_does_not_have_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "phrases.yaml"
    path.write_text("version: '1'\nphrases: {no-such-type: {en: [x]}, street-light: {de: [Laterne kaputt]}}")
    found = Suggester(first_examples(LIMITS, path))
    assert found.suggest("die Laterne", least=0).types[0].value == "street-light"
    path.write_text("version: '1'\nphrases: {street-light: [x]}")
    with pytest.raises(ConfigurationError, match="phrases"):
        first_examples(LIMITS, path)


def test_departments_follow_what_was_closed_with_each() -> None:
    counts = Counter({"water": 3, "roads": 1})
    examples = [
        Example(text="drain", type="blocked-sewer", department=name)
        for name, count in counts.items()
        for _ in range(count)
    ]
    suggester = Suggester(examples)
    found = suggester.suggest("the drain", known="blocked-sewer")
    assert [(one.value, one.confidence) for one in found.departments] == [("water", 0.6), ("roads", 0.2)]
    # Of a type that is only likely, they are no likelier than that.
    found = suggester.suggest("the drain")
    sure = found.types[0].confidence or 0.0
    assert [(one.value, one.confidence) for one in found.departments] == [
        ("water", pytest.approx(0.6 * sure, abs=0.001)),
        ("roads", pytest.approx(0.2 * sure, abs=0.001)),
    ]
