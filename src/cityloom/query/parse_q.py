"""The parser of `q`, by recursive descent along the grammar of clause 4.9.

Source: ETSI GS CIM 009 clause 4.9, with two liberties that its own examples take:
associations in parentheses may nest, and blanks may stand around values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from cityloom.model.errors import BadRequestData
from cityloom.model.time import parse_datetime
from cityloom.query.compare import comparable, temporal
from cityloom.query.patterns import compile_pattern
from cityloom.query.scanner import Scanner, is_name, is_unicode
from cityloom.query.values import (
    MEMBERS,
    AnyOf,
    Path,
    QAnd,
    QCompare,
    QExists,
    QLinked,
    QNode,
    QOr,
    QText,
    QTime,
    Range,
)

Expand = Callable[[str], str]
"""Expands the short name of a type, attribute or term to its IRI, by the caller's @context."""

_OPERATORS: Final = ("==", "!=", "!~=", "~=", ">=", "<=", ">", "<")
_VALUE_END: Final = r"(?=\s*(?:[;|),]|\.\.|$))"
_TIME_TEXT: Final = r"\d\d:\d\d:\d\d(?:[.,]\d{1,6})?"
_MOMENT: Final = re.compile(
    rf"(?:\d{{4}}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?(?:Z|[+-]\d\d:?\d\d))?|{_TIME_TEXT}Z?){_VALUE_END}"
)
_NUMBER: Final = re.compile(rf"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?{_VALUE_END}")
_BOOLEAN: Final = re.compile(rf"(?:true|false){_VALUE_END}")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LINK: Final = re.compile(r"([^\s;|()\[\]{}=!<>~\",.]+)\{")
_TYPE_HINT: Final = re.compile(r"([^\s;|()\[\]{}=!<>~\":]+):")
_ATTRIBUTE_PATH: Final = re.compile(r"[^\s;|()\[\]{}=!<>~\",]+")


def parse_q(
    text: str,
    expand: Expand,
    expand_values: Collection[str] = (),
    json_keys: Collection[str] = (),
    join_level: int = 0,
) -> QNode:
    """Reads a query on attribute values.

    Args:
        text: the expression, percent-decoded.
        expand: gives the IRI of a short name.
        expand_values: short names of attributes whose query values are terms to expand (`expandValues`).
        json_keys: short names of attributes whose members are never expanded (`jsonKeys`).
        join_level: how deep linked entities are retrieved; names in braces may not reach deeper (5.7.2.4).

    Raises:
        BadRequestData: the text does not follow the grammar, or reaches too deep; names the position.
        TooComplexQuery: it is too long, nests too deep or has too many terms.

    Cost: linear in the text.
    """
    scanner = Scanner(text, "q")
    return _QParser(scanner, expand, frozenset(expand_values), frozenset(json_keys), join_level).parse()


def read_path(scanner: Scanner, expand: Expand, json_keys: Collection[str] = frozenset()) -> tuple[Path, str]:
    """Reads an attribute path (`a.b[c.d]`); gives it and the short name at its end.

    Raises:
        BadRequestData: there is none here, or it leads to linked entities.
    """
    start = scanner.position
    found = scanner.match(_ATTRIBUTE_PATH)
    if found is None:
        scanner.fail("the name of an attribute is required")
    names = found[0].split(".")
    for name in names:
        if not is_name(name):
            scanner.fail(f"{name!r} is no name of an attribute", start)
    if scanner.peek() == "{":
        scanner.fail("a relationship that leads to linked entities is one name")
    raw = _read_members(scanner) if scanner.take("[") else ()
    is_raw = names[-1] in json_keys or raw == ("*",)
    members = raw if is_raw else tuple(expand_or_keep(name, expand) for name in raw)
    return Path(tuple(attribute_name(name, expand) for name in names), members, raw), names[-1]


def attribute_name(name: str, expand: Expand) -> str:
    """The name as paths and projections hold it: a member's stays plain, an attribute's is expanded."""
    return name if name in MEMBERS else expand(name)


def expand_or_keep(text: str, expand: Expand) -> str:
    """The IRI of a text that may be a term but need not be: `"@home"` is a good value and no keyword."""
    try:
        return expand(text) if text else text
    except BadRequestData:
        return text


def _read_members(scanner: Scanner) -> tuple[str, ...]:
    start = scanner.position
    text = scanner.until("[]")
    if not scanner.take("]"):
        scanner.fail("a closing bracket is required")
    members = tuple(text.split("."))
    if not all(members):
        scanner.fail("the name of a member is required", start)
    return members


class _QParser:
    """One run over one text."""

    def __init__(
        self,
        scanner: Scanner,
        expand: Expand,
        expand_values: frozenset[str],
        json_keys: frozenset[str],
        join_level: int,
    ) -> None:
        self._scanner = scanner
        self._expand = expand
        self._expand_values = expand_values
        self._json_keys = json_keys
        self._join_level = join_level

    def parse(self) -> QNode:
        """The whole text."""
        node = self._any_of()
        self._scanner.expect_end()
        return node

    def _any_of(self) -> QNode:
        """Terms joined by `|`, which binds weaker than `;`."""
        terms = [self._all_of()]
        while self._scanner.take("|"):
            terms.append(self._all_of())
        return terms[0] if len(terms) == 1 else QOr(terms)

    def _all_of(self) -> QNode:
        terms = [self._term()]
        while self._scanner.take(";"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else QAnd(terms)

    def _term(self) -> QNode:
        scanner = self._scanner
        scanner.skip_space()
        if scanner.take("("):
            scanner.enter()
            node = self._any_of()
            if not scanner.take(")"):
                scanner.fail("a closing parenthesis is required")
            scanner.leave()
        else:
            node = self._comparison()
        scanner.skip_space()
        return node

    def _comparison(self) -> QNode:
        """A term on an entity, or on those that relationships lead to (`a{T:b{c.d}}`)."""
        scanner = self._scanner
        scanner.count_term()
        links: list[tuple[str, list[str]]] = []
        while (link := self._link(len(links) + 1)) is not None:
            links.append(link)
        path, last = read_path(scanner, self._expand, self._json_keys)
        for _ in links:
            if not scanner.take("}"):
                scanner.fail("a closing brace is required")
        scanner.skip_space()
        node = self._compared(path, last)
        for relationship, types in reversed(links):
            node = QLinked(relationship, node, types)
        return node

    def _link(self, depth: int) -> tuple[str, list[str]] | None:
        """The name of a relationship and the types that it shall lead to; then what is in its braces."""
        scanner = self._scanner
        start = scanner.position
        found = scanner.match(_LINK)
        if found is None:
            return None
        if not is_name(found[1]):
            scanner.fail(f"{found[1]!r} is no name of an attribute", start)
        if depth > self._join_level:
            scanner.fail("linked entities are reached no deeper than join and joinLevel retrieve them", start)
        start = scanner.position
        hint = scanner.match(_TYPE_HINT)
        types = hint[1].split(",") if hint is not None else []
        for type in types:
            if not is_name(type):
                scanner.fail(f"{type!r} is no name of an entity type", start)
        return self._expand(found[1]), [self._expand(type) for type in types]

    def _compared(self, path: Path, last: str) -> QNode:
        scanner = self._scanner
        operator = scanner.take_any(_OPERATORS)
        if not operator:
            return QExists(path)
        scanner.skip_space()
        match operator:
            case "~=" | "!~=":
                return QCompare(path, operator, self._pattern())
            case "==" | "!=":
                return QCompare(path, operator, self._equality(expands=last in self._expand_values))
            case ">" | "<" | ">=" | "<=":
                start = scanner.position
                value = self._value()
                if not _is_comparable(value):
                    scanner.fail("a number, a text in quotes, a date or a time is required", start)
                return QCompare(path, operator, value)
            case _:
                raise AssertionError(operator)

    def _equality(self, *, expands: bool) -> Any:
        scanner = self._scanner
        first = self._value(expands=expands)
        if scanner.take(".."):
            start = scanner.position
            scanner.skip_space()
            last = self._value(expands=expands)
            if not _is_range(first, last):
                scanner.fail(
                    "the ends of a range must be numbers, texts in quotes, dates or times, both alike", start
                )
            return Range(first, last)
        values = [first]
        while scanner.take(","):
            scanner.count_term()
            scanner.skip_space()
            values.append(self._value(expands=expands))
        return first if len(values) == 1 else AnyOf(values)

    def _value(self, *, expands: bool = False) -> Any:
        scanner = self._scanner
        start = scanner.position
        if scanner.peek() == '"':
            value = self._literal_text(self._quoted(), expands=expands)
        elif (found := scanner.match(_MOMENT)) is not None:
            if temporal(found[0]) is None:
                scanner.fail(f"{found[0]!r} is no date, time or date-time", start)
            value = _moment(found[0])
        elif (found := scanner.match(_NUMBER)) is not None:
            value = _number(found[0])
        elif (found := scanner.match(_BOOLEAN)) is not None:
            value = found[0] == "true"
        else:
            text = scanner.until(';|(),"')
            if not text:
                scanner.fail("a value is required", start)
            value = self._literal_text(text, expands=expands, quoted=False)
        scanner.skip_space()
        return value

    def _literal_text(self, text: str, *, expands: bool, quoted: bool = True) -> Any:
        iri = self._expand(text) if expands else expand_or_keep(text, self._expand)
        if expands or iri == text:
            return iri
        return QText(text, iri, quoted)

    def _quoted(self) -> str:
        scanner = self._scanner
        start = scanner.position
        found = scanner.match(_QUOTED)
        if found is None:
            scanner.fail("a closing quote is required", start)
        try:
            text: str = json.loads(found[0])
        except ValueError:
            scanner.fail("the text in quotes is no JSON string", start)
        if not is_unicode(text):
            scanner.fail("half of a surrogate pair is no character", start)
        return text

    def _pattern(self) -> str:
        """A regular expression: in quotes (a quote inside written `\\"`), or up to the end of the term."""
        scanner = self._scanner
        start = scanner.position
        found = scanner.match(_QUOTED)
        pattern = found[0][1:-1].replace('\\"', '"') if found else self._bare_pattern()
        scanner.skip_space()
        try:
            compile_pattern(pattern, "q")
        except BadRequestData as error:
            scanner.fail(error.detail.partition(": ")[2] or error.detail, start)
        return pattern

    def _bare_pattern(self) -> str:
        """Without quotes, `|` and `;` inside the pattern's own brackets belong to the pattern."""
        scanner = self._scanner
        start, depth, in_class = scanner.position, 0, False
        while not scanner.at_end:
            char = scanner.peek()
            if char == "\\":
                scanner.position += 1
            elif in_class:
                in_class = char != "]"
            elif char == "[":
                in_class = True
            elif depth == 0 and char in ";|)":
                break
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
            scanner.position += 1
        return scanner.text[start : scanner.position].strip()


def _moment(text: str) -> QTime:
    return QTime(text, parse_datetime(text) if "T" in text else None)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 40 else float(text)


def _is_comparable(value: Any) -> bool:
    """Whether the grammar lets `value` be compared in order: no boolean, no text without quotes."""
    return not isinstance(value, bool) and not (isinstance(value, QText) and not value.quoted)


def _is_range(low: Any, high: Any) -> bool:
    if not (_is_comparable(low) and _is_comparable(high)):
        return False
    one, other = (comparable(each.text if isinstance(each, QText | QTime) else each) for each in (low, high))
    return one is not None and other is not None and one[0] == other[0]
