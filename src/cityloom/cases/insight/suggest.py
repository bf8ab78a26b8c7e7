"""Suggestions: which type, and which department, a free text in Chinese or English may be about.

Learnt offline from the names of the city's types, from phrases (`phrases.yaml`) and from what the city closed
itself. A suggestion comes with a confidence and is always refusable: `refused` makes the value for the log.
Texts can hold personal data: none leaves this module, and figures are not looked at.

A text is a vector of weighted pieces of words (TF-IDF; one or two characters of Chinese, words and three to
five letters of others), a type the sum of its examples' vectors; the angle between them decides. How
much an angle and the number of a type's examples say is learnt by leaving each example out once.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, log, sqrt
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cityloom.cases.clocks.limits import LimitTable
from cityloom.yamlfile import convert, load_yaml

_WORD: Final = re.compile(r"[a-zà-öø-ÿß-]+|[\u3400-\u9fff]+")
_STOP: Final = frozenset(
    (
        "a",
        "all",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "by",
        "for",
        "from",
        "has",
        "have",
        "i",
        "in",
        "is",
        "it",
        "its",
        "my",
        "near",
        "next",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "please",
        "so",
        "that",
        "the",
        "their",
        "there",
        "they",
        "this",
        "to",
        "very",
        "was",
        "we",
        "with",
    )
)
_LOOKED_AT: Final = 400
"""So many examples at most are left out once to learn what an angle says."""
_ENOUGH: Final = 50
"""From so many closed cases on, those alone are left out: they are how people write."""
_SHARPNESS: Final = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0, 40.0)
_PRIOR: Final = (0.0, 0.25, 0.5, 1.0)
_WEIGHT: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)

Vector = dict[str, float]


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text of which the type is known: a phrase, or a closed case's with the department that handled it."""

    text: str
    type: str
    department: str = ""


class Suggestion(Struct, frozen=True, kw_only=True):
    """A type or a department, and how sure that is (0 to 1).

    `because` are the pieces of the text that told most; of a department, the types whose cases it handled.
    """

    value: str
    confidence: float
    because: tuple[str, ...] = ()


class Suggestions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a text may be about, the likeliest first; both empty where nothing of it is known.

    `model` is the digest of what was learnt.
    """

    types: tuple[Suggestion, ...] = ()
    departments: tuple[Suggestion, ...] = ()
    model: str


class Refusal(Struct, frozen=True, kw_only=True, rename="camel"):
    """That someone chose otherwise than was suggested, for the log. It holds no word of the text."""

    case: str
    actor: str
    at: int
    field: str
    suggested: tuple[Suggestion, ...]
    chosen: str
    model: str


class _Phrases(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: str
    phrases: dict[str, dict[str, list[str]]]


class _Sums:
    """The examples of one kind: for each piece and type the sum of the weights."""

    def __init__(self) -> None:
        self.of: dict[str, Vector] = {}

    def add(self, vector: Vector, kind: str) -> None:
        for piece, weight in vector.items():
            sums = self.of.setdefault(piece, {})
            sums[kind] = sums.get(kind, 0.0) + weight

    def times(self, vector: Vector) -> Vector:
        """The product of a vector with the sum of each type that shares a piece."""
        products: Vector = {}
        for piece, weight in vector.items():
            for kind, sum_ in self.of.get(piece, {}).items():
                products[kind] = products.get(kind, 0.0) + weight * sum_
        return products

    def products(self, other: _Sums) -> Vector:
        """The product of the sums of each type with those of others."""
        products: Vector = {}
        for piece, sums in self.of.items():
            others = other.of.get(piece, {})
            for kind, sum_ in sums.items():
                products[kind] = products.get(kind, 0.0) + sum_ * others.get(kind, 0.0)
        return products


class _Angles(NamedTuple):
    """Of one text, for each type: products with what is known at first (`first`) and was `closed`.

    `squares` are their squares and twice their product, for the length of the sum.
    """

    first: Vector
    closed: Vector
    squares: dict[str, tuple[float, float, float]]

    def cosines(self, weight: float) -> Vector:
        """The cosine with each type, if closed cases count by `weight`."""
        found: Vector = {}
        for kind, (first, both, closed) in self.squares.items():
            square = first + weight * both + weight * weight * closed
            product = self.first.get(kind, 0.0) + weight * self.closed.get(kind, 0.0)
            found[kind] = max(product, 0.0) / sqrt(square) if square > 1e-9 else 0.0
        return found


class Suggester:
    """Suggests types and departments by what it has learnt; learnt once, it does not change.

    Args:
        first: what is known before anything was closed (`first_examples`).
        closed: texts of closed cases; how much they count beside the first is learnt, too.

    Cost: to learn, some 0.3 ms for each example and a second to try them; a suggestion some 0.5 ms.
    """

    def __init__(self, first: Iterable[Example], closed: Iterable[Example] = ()) -> None:
        self._examples: Counter[str] = Counter()
        self._departments: dict[str, Counter[str]] = {}
        digest = hashlib.sha256()
        learnt: list[tuple[Counter[str], str, bool]] = []
        for is_closed, examples in ((False, first), (True, closed)):
            for example in examples:
                digest.update(f"{example.type}\0{example.department}\0{example.text}\n".encode())
                learnt.append((Counter(_pieces(example.text)), example.type, is_closed))
                self._examples[example.type] += 1
                if example.department:
                    self._departments.setdefault(example.type, Counter())[example.department] += 1
        self.model = digest.hexdigest()[:16]
        seen = Counter(piece for pieces, _, _ in learnt for piece in pieces)
        self._rarity = {piece: log((len(learnt) + 1) / count) for piece, count in seen.items()}
        self._first, self._closed = _Sums(), _Sums()
        vectors = [(self._vector(pieces), kind, is_closed) for pieces, kind, is_closed in learnt]
        for vector, kind, is_closed in vectors:
            (self._closed if is_closed else self._first).add(vector, kind)
        squares = [
            self._first.products(self._first),
            self._first.products(self._closed),
            self._closed.products(self._closed),
        ]
        self._squares = {
            kind: (squares[0].get(kind, 0.0), 2 * squares[1].get(kind, 0.0), squares[2].get(kind, 0.0))
            for kind in self._examples
        }
        self._sharpness, self._prior, self._weight = 10.0, 0.0, 1.0
        self._try_out(vectors)

    def suggest(self, text: str, most: int = 3, least: float = 0.1, *, known: str = "") -> Suggestions:
        """What a text may be about.

        Args:
            most: how many types and how many departments at most.
            least: below this confidence nothing is suggested.
            known: the type that somebody chose already, by which departments go; "": the likely ones.
        """
        vector = self._vector(Counter(_pieces(text)))
        chances: dict[str, float] = {}
        if vector:
            cosines = self._angles(vector).cosines(self._weight)
            chances = _chances(cosines, self._examples, self._sharpness, self._prior)
        parts: defaultdict[str, Vector] = defaultdict(dict)
        for kind, chance in ({known: 1.0} if known else chances).items():
            held = self._departments.get(kind, Counter())
            for name, count in held.items():
                # As if one more had been handled by somebody else: one case makes nothing sure.
                parts[name][kind] = chance * count / (held.total() + 1)
        departments = {name: sum(part.values()) for name, part in parts.items()}
        return Suggestions(
            types=tuple(
                Suggestion(value=kind, confidence=round(chance, 3), because=self._because(vector, kind))
                for kind, chance in _top(chances.items(), most, least)
            ),
            departments=tuple(
                Suggestion(value=name, confidence=round(chance, 3), because=_heaviest(parts[name]))
                for name, chance in _top(departments.items(), most, least)
            ),
            model=self.model,
        )

    def _vector(self, pieces: Counter[str]) -> Vector:
        """The pieces that are known, the rare ones heavier; of length 1."""
        weights = {
            piece: (1 + log(count)) * self._rarity[piece]
            for piece, count in pieces.items()
            if piece in self._rarity
        }
        length = sqrt(sum(weight * weight for weight in weights.values()))
        return {piece: weight / length for piece, weight in weights.items()} if length else {}

    def _angles(self, vector: Vector) -> _Angles:
        return _Angles(self._first.times(vector), self._closed.times(vector), self._squares)

    def _without(self, vector: Vector, kind: str, is_closed: bool) -> _Angles:
        """The same for an example, as if it had not been learnt."""
        angles = self._angles(vector)
        first, both, closed = self._squares[kind]
        of_first, of_closed = angles.first.get(kind, 0.0), angles.closed.get(kind, 0.0)
        if is_closed:
            square = (first, both - 2 * of_first, closed - 2 * of_closed + 1)
            angles = angles._replace(closed=angles.closed | {kind: of_closed - 1})
        else:
            square = (first - 2 * of_first + 1, both - 2 * of_closed, closed)
            angles = angles._replace(first=angles.first | {kind: of_first - 1})
        return angles._replace(squares=self._squares | {kind: square})

    def _because(self, vector: Vector, kind: str) -> tuple[str, ...]:
        """The words, or characters of Chinese, that speak most for this type."""
        told: Vector = {}
        for sums, weight in ((self._first, 1.0), (self._closed, self._weight)):
            for piece, one in vector.items():
                if _is_whole(piece):
                    told[piece] = told.get(piece, 0.0) + weight * one * sums.of.get(piece, {}).get(kind, 0.0)
        return _heaviest({piece: one for piece, one in told.items() if one > 0})

    def _try_out(self, vectors: Sequence[tuple[Vector, str, bool]]) -> None:
        """Chooses how much angles, numbers and closed cases say, by examples that are left out."""
        closed = [one for one in vectors if one[2]]
        looked = closed if len(closed) >= _ENOUGH else vectors
        tried = [
            (self._without(*one), one[1])
            for one in looked[:: max(1, len(looked) // _LOOKED_AT)]
            if one[0] and self._examples[one[1]] > 1
        ]
        best = float("-inf")
        for weight in (_WEIGHT if closed else (1.0,)) if tried else ():
            cosines = [(angles.cosines(weight), kind) for angles, kind in tried]
            for sharpness in _SHARPNESS:
                for prior in _PRIOR:
                    likely = sum(self._likely(one, kind, sharpness, prior) for one, kind in cosines)
                    if likely > best:
                        best, self._weight = likely, weight
                        self._sharpness, self._prior = sharpness, prior

    def _likely(self, cosines: Vector, kind: str, sharpness: float, prior: float) -> float:
        """The logarithm of the chance of the right type, the example itself not counted."""
        without = self._examples | {kind: self._examples[kind] - 1}
        return log(max(_chances(cosines, without, sharpness, prior)[kind], 1e-9))


def refused(
    suggestions: Suggestions, field: str, chosen: str, case: str, actor: str, at: int
) -> Refusal | None:
    """The value for the log where another type or department was chosen than the first that was suggested.

    Args:
        field: `type` or `department`.
        at: microseconds since 1970.

    Returns:
        None where nothing was suggested, or the first was taken
    """
    suggested = suggestions.types if field == "type" else suggestions.departments
    if not suggested or suggested[0].value == chosen:
        return None
    return Refusal(
        case=case,
        actor=actor,
        at=at,
        field=field,
        suggested=tuple(replace(one, because=()) for one in suggested),
        chosen=chosen,
        model=suggestions.model,
    )


def first_examples(limits: LimitTable, path: Path | None = None) -> list[Example]:
    """What is known before anything was closed: the names of the types and of their conditions, and phrases.

    Args:
        path: phrases as YAML; without, those that come with the package.

    Raises:
        ConfigurationError: the file cannot be read, or is not of this form.
    """
    path = path or Path(__file__).parent / "phrases.yaml"
    told = convert(load_yaml(path), _Phrases, str(path), "")
    examples = [
        Example(text=text, type=code)
        for code, row in limits.told.types.items()
        for text in row.title.values()
    ]
    for condition in limits.told.conditions.values():
        examples += [
            Example(text=text, type=code) for code in condition.types for text in condition.title.values()
        ]
    for code, languages in told.phrases.items():
        if code in limits.told.types:
            examples += [Example(text=text, type=code) for texts in languages.values() for text in texts]
    return examples


def _pieces(text: str) -> Iterator[str]:
    """Pieces of a text: words and parts of them, or one and two characters of Chinese; no figures."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word[0] >= "\u3400":
            for length in (1, 2):
                yield from (word[at : at + length] for at in range(len(word) - length + 1))
        elif word not in _STOP:
            yield word
            bounded = f"^{word}$"
            for length in (3, 4, 5):
                yield from (f"~{bounded[at : at + length]}" for at in range(len(bounded) - length + 1))


def _is_whole(piece: str) -> bool:
    """Whether it is a word or a pair of characters, which a person can read."""
    return len(piece) > 1 if piece[0] >= "\u3400" else piece[0] != "~"


def _heaviest(told: Vector) -> tuple[str, ...]:
    """The three that told most."""
    return tuple(sorted(told, key=lambda one: (-told[one], one))[:3])


def _chances(cosines: Vector, examples: Mapping[str, int], sharpness: float, prior: float) -> Vector:
    """How likely each type is."""
    logs = {
        kind: sharpness * cosines.get(kind, 0.0) + prior * log(count)
        for kind, count in examples.items()
        if count > 0
    }
    best = max(logs.values())
    weights = {kind: exp(one - best) for kind, one in logs.items()}
    total = sum(weights.values())
    return {kind: weight / total for kind, weight in weights.items()}


def _top(chances: Iterable[tuple[str, float]], most: int, least: float) -> list[tuple[str, float]]:
    return sorted((one for one in chances if one[1] >= least), key=lambda one: (-one[1], one[0]))[:most]
