"""Parsers of what selects by type and by scope.

Source: ETSI GS CIM 009 clauses 4.17 (types), 4.18 and 4.19 (scopes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cityloom.query.scanner import Scanner, is_name, is_uri
from cityloom.query.values import (
    ScopeAnd,
    ScopeExpression,
    ScopeOr,
    ScopeTerm,
    TypeAnd,
    TypeExpression,
    TypeIs,
    TypeOr,
)

T = TypeVar("T")


def parse_type_selection(text: str, expand: Callable[[str], str]) -> TypeExpression | None:
    """Reads a selection of entity types: `A,B`, `A|B`, `(A;B)|C`; `*` is any type (None).

    Raises:
        BadRequestData: the text does not follow the grammar of clause 4.17.
        TooComplexQuery: it is too long or has too many terms.
    """
    if isinstance(text, str) and text.strip() == "*":
        return None

    def term(name: str, scanner: Scanner, start: int) -> TypeExpression:
        if not (is_name(name) or is_uri(name)):
            scanner.fail(f"{name!r} is no name of an entity type and no URI", start)
        return TypeIs(expand(name))

    return _alternatives(Scanner(text, "type"), term, TypeAnd, TypeOr, bare=False)


def parse_scope_q(text: str) -> ScopeExpression:
    """Reads a scope query: `/a/b`, `/a/+/c`, `/a/#`, `/#`, joined as types are.

    The operators are those of `q` (4.19), so a conjunction needs no parentheses: `;` binds before `|`.

    Raises:
        BadRequestData: the text does not follow the grammar of clause 4.19.
        TooComplexQuery: it is too long or has too many terms.
    """

    def term(scope: str, scanner: Scanner, start: int) -> ScopeExpression:
        levels = scope.removeprefix("/").split("/")
        for index, level in enumerate(levels):
            last = index == len(levels) - 1
            if not (level == "+" or (level == "#" and last) or (is_name(level) and ":" not in level)):
                scanner.fail(f"{scope!r} is no scope: {level!r} is no level of one", start)
        return ScopeTerm("/" + "/".join(levels))

    return _alternatives(Scanner(text, "scopeQ"), term, ScopeAnd, ScopeOr, bare=True)


def _alternatives(
    scanner: Scanner,
    term: Callable[[str, Scanner, int], T],
    all_of: Callable[[list[T]], T],
    any_of: Callable[[list[T]], T],
    *,
    bare: bool,
) -> T:
    """Terms or conjunctions, separated by `|` or `,`: the shape that 4.17 and 4.19 share.

    The grammar has conjunctions in parentheses; they may group alternatives as well, as in `q`.

    Args:
        bare: whether a conjunction may stand without parentheses.
    """

    def single() -> T:
        scanner.count_term()
        scanner.skip_space()
        start = scanner.position
        name = scanner.until(",|;()")
        if not name:
            scanner.fail("a name is required", start)
        return term(name, scanner, start)

    def factor() -> T:
        scanner.skip_space()
        if not scanner.take("("):
            return single()
        scanner.enter()
        found = disjunction(grouped=True)
        if not scanner.take(")"):
            scanner.fail("a closing parenthesis is required")
        scanner.leave()
        scanner.skip_space()
        return found

    def conjunction(*, grouped: bool) -> T:
        terms = [factor()]
        while (grouped or bare) and scanner.take(";"):
            terms.append(factor())
        return terms[0] if len(terms) == 1 else all_of(terms)

    def disjunction(*, grouped: bool) -> T:
        alternatives = [conjunction(grouped=grouped)]
        while scanner.take_any(("|", ",")):
            alternatives.append(conjunction(grouped=grouped))
        return alternatives[0] if len(alternatives) == 1 else any_of(alternatives)

    found = disjunction(grouped=False)
    scanner.expect_end()
    return found
