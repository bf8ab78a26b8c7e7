"""Duplicates: which cases may be the same thing as a new report, and why. Proposed, never merged.

Same type, near in place and near in time, by limits that are data (`duplicates.yaml`). Words that are alike
put a case higher in the list; words that differ keep none out of it: people see one thing differently.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from math import sqrt
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from cityloom.model.errors import ConfigurationError
from cityloom.query.geometry import wgs84
from cityloom.yamlfile import convert, load_yaml

_HOUR: Final = 3_600_000_000
METRES_OF_DEGREE: Final = 110_500
"""A degree of latitude is nowhere shorter, on WGS 84."""
_ALIKE: Final = 0.5
"""From so much on, the likeness of the words is a reason that is told."""

Position = tuple[float, float]


class Nearness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far apart two reports of one thing may be: metres along the ellipsoid, and hours."""

    metres: float
    hours: float


class DuplicateRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits by type, as they are written down.

    `nowhere` are points (lon, lat, CRS84 degrees) that stand for "no place": what lies on one, to a
    ten-thousandth of a degree, is no duplicate of anything.
    """

    version: str
    default: Nearness
    types: dict[str, Nearness] = {}
    nowhere: tuple[Position, ...] = ()

    def of(self, kind: str) -> Nearness:
        """The limits of a type."""
        return self.types.get(kind, self.default)

    def placed(self, place: Position | None) -> bool:
        """Whether it is a place at all."""
        return place is not None and not any(
            max(abs(place[0] - lon), abs(place[1] - lat)) <= 1e-4 for lon, lat in self.nowhere
        )


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a case: type, when (microseconds), where (lon, lat, CRS84 degrees) and words."""

    case: str
    type: str
    at: int
    place: Position | None = None
    text: str = ""


class Duplicate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case that may be the same as another.

    `metres` is how far it lies, `apart` how many microseconds later it was reported (less
    than 0: earlier), `likeness` how alike the words are (0 to 1; None where one has none), `score` what the
    list is sorted by (1 is the same), `reason` a sentence in English and Chinese, `rules` their version.
    """

    case: str
    metres: float
    apart: int
    likeness: float | None = None
    score: float
    reason: dict[str, str]
    rules: str


def duplicates(
    new: Told, others: Iterable[Told], rules: DuplicateRules, title: Mapping[str, str] | None = None
) -> list[Duplicate]:
    """The cases that may be the same as a new one, the likeliest first.

    Args:
        title: the name of its type by language, for the reasons; without one its code.
        others: what it may be the same as; `rules.of(new.type)` says how far around to look for them.
            The case itself is passed over.

    Cost: under a microsecond for each of another type, time or latitude; some 10 for each that is near.
    """
    if not rules.placed(new.place):
        return []
    assert new.place is not None
    near = rules.of(new.type)
    degrees, micros = near.metres / METRES_OF_DEGREE, near.hours * _HOUR
    found = []
    for other in others:
        if other.type != new.type or other.case == new.case or other.place is None:
            continue
        apart = other.at - new.at
        if (
            abs(apart) > micros
            or abs(other.place[1] - new.place[1]) > degrees
            or not rules.placed(other.place)
        ):
            continue
        metres = wgs84().inv(*new.place, *other.place)[2]
        if metres > near.metres:
            continue
        likeness = alike(new.text, other.text)
        parts = [
            1 - metres / near.metres,
            1 - abs(apart) / micros,
            *([likeness] if likeness is not None else []),
        ]
        found.append(
            Duplicate(
                case=other.case,
                metres=round(metres, 1),
                apart=apart,
                likeness=None if likeness is None else round(likeness, 2),
                score=round(sum(parts) / len(parts), 3),
                reason=_reason(
                    {"en": new.type, "zh": new.type, **(title or {})}, metres, apart, likeness, near
                ),
                rules=rules.version,
            )
        )
    return sorted(found, key=lambda one: (-one.score, one.case))


def alike(one: str, other: str) -> float | None:
    """How alike two texts are, in any script, by their pairs of characters; None where one is empty.

    Returns:
        the cosine between the counts of pairs: 1 for the same pairs in the same shares, 0 for none in common
    """
    counts = [_pairs(text) for text in (one, other)]
    if not all(counts):
        return None
    product = sum(count * counts[1][pair] for pair, count in counts[0].items())
    lengths = [sum(count * count for count in each.values()) for each in counts]
    return product / sqrt(lengths[0] * lengths[1])


def load_duplicate_rules(path: Path | None = None) -> DuplicateRules:
    """Reads the limits from YAML; without a path, those that a new city begins with.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    path = path or Path(__file__).parent / "duplicates.yaml"
    return make_duplicate_rules(load_yaml(path), str(path))


def make_duplicate_rules(values: dict[str, Any], file: str) -> DuplicateRules:
    """The limits from plain values, as `load_duplicate_rules` reads them from `file`.

    Raises:
        ConfigurationError: a key is unknown or wrong, or a limit is not more than 0.
    """
    rules = convert(values, DuplicateRules, file, "")
    for place, near in {
        "default": rules.default,
        **{f"types.{k}": v for k, v in rules.types.items()},
    }.items():
        for name, value in (("metres", near.metres), ("hours", near.hours)):
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"{file}: {place}.{name} is invalid: it is more than 0")
    return rules


def _pairs(text: str) -> Counter[str]:
    """Pairs of letters and figures that follow each other; a single one is a pair with nothing."""
    letters = [one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum()]
    return Counter(map("".join, zip(letters, letters[1:] or [""], strict=False)))


def _reason(
    kind: Mapping[str, str], metres: float, apart: int, likeness: float | None, near: Nearness
) -> dict[str, str]:
    words = likeness is not None and likeness >= _ALIKE
    length = _length(abs(apart) // 60_000_000)
    told = {
        "en": f"reported {length['en']} {'earlier' if apart < 0 else 'later'}",
        "zh": f"{'早' if apart < 0 else '晚'} {length['zh']}上报",
    }
    if abs(apart) < 60_000_000:
        told = {"en": "reported at the same time", "zh": "同时上报"}
    within = _within(near.hours)
    return {
        "en": (
            f"the same type ({kind['en']}), {metres:.0f} m away, {told['en']}"
            f"{', in similar words' if words else ''}; within {near.metres:g} m and {within['en']}"
        ),
        "zh": (
            f"类型相同（{kind['zh']}），相距 {metres:.0f} 米，{told['zh']}"
            f"{'，描述相近' if words else ''}；在 {near.metres:g} 米、{within['zh']}以内"
        ),
    }


def _length(minutes: int) -> dict[str, str]:
    """A length of time in its two largest units."""
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    counts = [(days, "day", "天"), (hours, "hour", "小时"), (minutes, "minute", "分钟")]
    first = next((at for at, (count, _, _) in enumerate(counts) if count), 2)
    shown = [one for one in counts[first : first + 2] if one[0]]
    return {
        "en": " ".join(_counted(count, unit) for count, unit, _ in shown),
        "zh": " ".join(f"{count} {unit}" for count, _, unit in shown),
    }


def _within(hours: float) -> dict[str, str]:
    """A limit in the largest unit of which it is whole."""
    for size, english, chinese in ((168, "week", "周"), (24, "day", "天")):
        if hours % size == 0:
            count = int(hours // size)
            told = f"a {english}" if count == 1 else _counted(count, english)
            return {"en": told, "zh": f"{count} {chinese}"}
    return {"en": "an hour" if hours == 1 else f"{hours:g} hours", "zh": f"{hours:g} 小时"}


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
