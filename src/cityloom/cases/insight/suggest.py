"""Suggestions: which type, and which department, a free text in Chinese or English may be about.

Learnt offline from the names of the city's types, from phrases (`phrases.yaml`) and from what the city closed
itself. A suggestion comes with a confidence and is always refusable: `refused` makes the value for the log.
Texts can hold personal data: none leaves this module, and figures are not looked at.

A text is a vector of weighted pieces of words (TF-IDF; one or two characters of Chinese, words and three to
five letters of others), a type the sum of its examples' vectors, of each writing by itself; the angle between
them decides. A word speaks where it or one that begins like it was learnt: letters that it shares by chance
say nothing. How much an angle and the number of a type's examples say is learnt by leaving each example out
once, and so is how sure a suggestion may be at most: as often as the surest of those were right.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import exp, log, sqrt
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cityloom.cases.clocks.limits import LimitTable
from cityloom.cases.insight.words import Vector, Word, pieces_of, split, words_of
from cityloom.cases.loop.case import RuleRow
from cityloom.yamlfile import convert, load_yaml

_LOOKED_AT: Final = 400
"""So many examples at most are left out once to learn what an angle says."""
_ENOUGH: Final = 50
"""From so many closed cases on, those alone are left out: they are how people write."""
_SHARPNESS: Final = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0, 40.0)
_PRIOR: Final = (0.0, 0.25, 0.5, 1.0)
_WEIGHT: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_SUREST: Final = 20
"""What is the most is measured by the surest tenth of the examples that were left out, so many at least."""


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text of which the type is known: a phrase, or a closed case's with the department that handled it."""

    text: str
    type: str
    department: str = ""


class Suggestion(Struct, frozen=True, kw_only=True):
    """A type or a department, and how sure that is (above 0, below 1).

    `because` are the words of the text that told most; of a department, the types of which it gets the cases.
    `ruled` is the row of the rule in force that names the department; where somebody chose the type already
    that is no guess, and `confidence` is None.
    """

    value: str
    confidence: float | None
    because: tuple[str, ...] = ()
    ruled: RuleRow | None = None


class Suggestions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a text may be about, the likeliest first.

    `known` tells whether a word of the text is known: no type is suggested where none is. `model` is the
    digest of what was learnt.
    """

    types: tuple[Suggestion, ...] = ()
    departments: tuple[Suggestion, ...] = ()
    known: bool = False
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
    squares: Mapping[str, tuple[float, float, float]]

    def cosines(self, weight: float) -> Vector:
        """The cosine with each type that shares a piece, if closed cases count by `weight`."""
        found: Vector = {}
        for kind in self.first.keys() | self.closed.keys():
            first, both, closed = self.squares[kind]
            square = first + weight * both + weight * weight * closed
            product = self.first.get(kind, 0.0) + weight * self.closed.get(kind, 0.0)
            if product > 1e-9 and square > 1e-9:
                found[kind] = product / sqrt(square)
        return found


class _Writing:
    """What was learnt in one writing: a type is no farther for what was told of it in another one."""

    def __init__(self) -> None:
        self.first, self.closed = _Sums(), _Sums()
        self._squares: dict[str, tuple[float, float, float]] = {}

    def settle(self, kinds: Iterable[str]) -> None:
        """Measures the sums, after the last example."""
        first, closed = self.first.products(self.first), self.closed.products(self.closed)
        both = self.first.products(self.closed)
        self._squares = {
            kind: (first.get(kind, 0.0), 2 * both.get(kind, 0.0), closed.get(kind, 0.0)) for kind in kinds
        }

    def angles(self, vector: Vector) -> _Angles:
        return _Angles(self.first.times(vector), self.closed.times(vector), self._squares)

    def without(self, vector: Vector, example: Vector, kind: str, is_closed: bool) -> _Angles:
        """The same, as if an example of this kind had not been learnt."""
        angles, own = self.angles(vector), self.angles(example)
        first, both, closed = self._squares[kind]
        shared = sum(weight * example.get(piece, 0.0) for piece, weight in vector.items())
        length = sum(weight * weight for weight in example.values())
        of_first, of_closed = own.first.get(kind, 0.0), own.closed.get(kind, 0.0)
        if is_closed:
            square = (first, both - 2 * of_first, closed - 2 * of_closed + length)
            angles = angles._replace(closed=angles.closed | {kind: angles.closed.get(kind, 0.0) - shared})
        else:
            square = (first - 2 * of_first + length, both - 2 * of_closed, closed)
            angles = angles._replace(first=angles.first | {kind: angles.first.get(kind, 0.0) - shared})
        return angles._replace(squares=self._squares | {kind: square})


class _Learnt(NamedTuple):
    """An example that was learnt: its words, its type, whether it is a closed case."""

    words: tuple[Word, ...]
    kind: str
    is_closed: bool


class Suggester:
    """Suggests types and departments by what it has learnt; learnt once, it does not change.

    A text of a type that comes again in the same words is learnt once: a rule that opens cases, or a form,
    says the same hundreds of times and is no other evidence for that. Its departments count each time.

    Args:
        first: what is known before anything was closed (`first_examples`).
        closed: texts of closed cases; how much they count beside the first is learnt, too.

    Cost: to learn, some 0.3 ms for each example and a second to try them; a suggestion some 0.5 ms.
    """

    def __init__(self, first: Iterable[Example], closed: Iterable[Example] = ()) -> None:
        self._examples: Counter[str] = Counter()
        self._departments: dict[str, Counter[str]] = {}
        self._writings = (_Writing(), _Writing())
        learnt = self._learn(first, closed)
        self._seen = Counter(
            piece for one in learnt for piece in {each for word in one.words for each in pieces_of(word)}
        )
        self._count = len(learnt)
        for one in learnt:
            for writing, vector in zip(self._writings, split(self._vector(one.words)), strict=True):
                (writing.closed if one.is_closed else writing.first).add(vector, one.kind)
        for writing in self._writings:
            writing.settle(self._examples)
        self._sharpness, self._prior, self._weight = 10.0, 0.0, 1.0
        self._most = self._try_out(learnt)

    def _learn(self, first: Iterable[Example], closed: Iterable[Example]) -> list[_Learnt]:
        digest = hashlib.sha256()
        learnt: dict[tuple[tuple[Word, ...], str], _Learnt] = {}
        for is_closed, examples in ((False, first), (True, closed)):
            for example in examples:
                digest.update(f"{example.type}\0{example.department}\0{example.text}\n".encode())
                words = words_of(example.text)
                learnt.setdefault((words, example.type), _Learnt(words, example.type, is_closed))
                if example.department:
                    self._departments.setdefault(example.type, Counter())[example.department] += 1
        self._examples.update(one.kind for one in learnt.values())
        self.model = digest.hexdigest()[:16]
        return list(learnt.values())

    def suggest(self, text: str, most: int = 3, least: float = 0.1, *, known: str = "") -> Suggestions:
        """What a text may be about.

        Args:
            most: how many types and how many departments at most.
            least: below this confidence nothing is suggested.
            known: the type that somebody chose already, by which departments go; "": the likely ones.
        """
        words = words_of(text)
        vector = self._vector(words)
        chances: Vector = {}
        if vector:
            cosines = _sum(self._angles(vector), self._weight)
            every = _chances(cosines, self._examples, self._sharpness, self._prior)
            # A type that no word speaks for is not suggested, however many its cases are.
            chances = {kind: min(every[kind], self._most) for kind in cosines}
        parts: defaultdict[str, Vector] = defaultdict(dict)
        for kind, chance in ({known: 1.0} if known else chances).items():
            held = self._departments.get(kind, Counter())
            for name, count in held.items():
                # As if one more had been handled by somebody else: one case makes nothing sure.
                parts[name][kind] = chance * count / (held.total() + 1)
        departments = {name: sum(part.values()) for name, part in parts.items()}
        return Suggestions(
            types=tuple(
                Suggestion(
                    value=kind, confidence=round(chance, 3), because=self._because(words, vector, kind)
                )
                for kind, chance in _top(chances.items(), most, least)
            ),
            departments=tuple(
                Suggestion(value=name, confidence=round(chance, 3), because=_heaviest(parts[name]))
                for name, chance in _top(departments.items(), most, least)
            ),
            known=bool(vector),
            model=self.model,
        )

    def _vector(self, words: Iterable[Word], least: int = 1) -> Vector:
        """The pieces of words that are known by so many examples, the rare ones heavier; of length 1."""
        pieces = Counter(piece for word in words if self._speaks(word, least) for piece in pieces_of(word))
        weights = {
            piece: (1 + log(count)) * log((self._count + 1) / self._seen[piece])
            for piece, count in pieces.items()
            if self._seen[piece] >= least
        }
        length = sqrt(sum(weight * weight for weight in weights.values()))
        return {piece: weight / length for piece, weight in weights.items()} if length else {}

    def _speaks(self, word: Word, least: int = 1) -> bool:
        return any(self._seen[key] >= least for key in word.keys)

    def _angles(self, vector: Vector) -> list[_Angles]:
        return [writing.angles(part) for writing, part in zip(self._writings, split(vector), strict=True)]

    def _without(self, example: _Learnt) -> list[_Angles]:
        """The angles of an example as if it had not been learnt, by what others know; none: nothing is."""
        told, whole = self._vector(example.words, 2), self._vector(example.words)
        parts = zip(self._writings, split(told), split(whole), strict=True)
        return [
            writing.without(part, own, example.kind, example.is_closed)
            for writing, part, own in parts
            if told
        ]

    def _because(self, words: Iterable[Word], vector: Vector, kind: str) -> tuple[str, ...]:
        """The words, or characters of Chinese, that speak most for this type."""
        told: Vector = {}
        for word in words:
            for shown, pieces in word.pieces if self._speaks(word) else ():
                told[shown] = sum(
                    vector[piece] * weight * sums.of.get(piece, {}).get(kind, 0.0)
                    for piece in pieces
                    if piece in vector
                    for writing in self._writings
                    for sums, weight in ((writing.first, 1.0), (writing.closed, self._weight))
                )
        speaking = {shown: one for shown, one in told.items() if one > 0}
        # A single character is read only where no pair of them is known.
        longer = {shown: one for shown, one in speaking.items() if len(shown) > 1}
        return _heaviest(longer or speaking)

    def _try_out(self, learnt: Sequence[_Learnt]) -> float:
        """Chooses how much angles, numbers and closed cases say, by examples that are left out.

        Returns:
            the most that is ever said: how often the surest of them were right, with one more of each
        """
        closed = [one for one in learnt if one.is_closed]
        looked = closed if len(closed) >= _ENOUGH else learnt
        tried = [
            (angles, one.kind)
            for one in looked[:: max(1, len(looked) // _LOOKED_AT)]
            if self._examples[one.kind] > 1 and (angles := self._without(one))
        ]
        best = float("-inf")
        for weight in (_WEIGHT if closed else (1.0,)) if tried else ():
            cosines = [(_sum(angles, weight), kind) for angles, kind in tried]
            for sharpness in _SHARPNESS:
                for prior in _PRIOR:
                    likely = sum(
                        log(max(self._left(one, kind, sharpness, prior)[kind], 1e-9)) for one, kind in cosines
                    )
                    if likely > best:
                        best, self._weight = likely, weight
                        self._sharpness, self._prior = sharpness, prior
        firsts = []
        for angles, kind in tried:
            chances = self._left(_sum(angles, self._weight), kind, self._sharpness, self._prior)
            first = max(chances, key=lambda one: chances[one])
            firsts.append((chances[first], first == kind))
        surest = sorted(firsts, reverse=True)[: max(_SUREST, len(firsts) // 10)]
        return (sum(right for _, right in surest) + 1) / (len(surest) + 2)

    def _left(self, cosines: Vector, kind: str, sharpness: float, prior: float) -> Vector:
        """How likely each type is, an example of `kind` itself not counted."""
        return _chances(cosines, self._examples | {kind: self._examples[kind] - 1}, sharpness, prior)


def refused(
    suggestions: Suggestions, field: str, chosen: Sequence[str], case: str, actor: str, at: int
) -> Refusal | None:
    """The value for the log where another type or department was chosen than the first that was suggested.

    Args:
        field: `type` or `department`.
        chosen: one, or the departments among which the case is split.
        at: microseconds since 1970.

    Returns:
        None where nothing was suggested, or the first was taken
    """
    suggested = suggestions.types if field == "type" else suggestions.departments
    if not suggested or suggested[0].value in chosen:
        return None
    return Refusal(
        case=case,
        actor=actor,
        at=at,
        field=field,
        suggested=tuple(replace(one, because=()) for one in suggested),
        chosen=",".join(chosen),
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


def _sum(angles: Iterable[_Angles], weight: float) -> Vector:
    """The cosine with each type that shares a piece, all writings together."""
    found: Vector = {}
    for one in angles:
        for kind, cosine in one.cosines(weight).items():
            found[kind] = found.get(kind, 0.0) + cosine
    return found


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
