"""From a path to what answers it: a tree of segments, so that a path costs its segments, not the table.

A name goes before a variable; where a name leads nowhere, the variable beside it is tried. Paths are
taken as they came, percent-encoded, and a segment may be empty: that is for who answers to refuse.

Source: ETSI GS CIM 009 clause 6.2 (resource paths).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope

from cityloom.web.headers import Headers

_VARIABLE = re.compile(r"{(\w+)}")


class Endpoint(Protocol):
    """What answers a path."""

    async def answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        """The answer to one request; `variables` are the path's, encoded as they came."""
        ...


class _Node:
    """One segment of paths."""

    __slots__ = ("endpoint", "literals", "names", "rest", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.rest: _Node | None = None
        self.endpoint: Endpoint | None = None
        self.names: tuple[str, ...] = ()

    def end(self, segments: Sequence[str], place: int, values: tuple[str, ...]) -> _Found | None:
        """What answers where `segments` lead from here on, its variables' names, and their values."""
        node, count = self, len(segments)
        while place < count:
            segment = segments[place]
            literal, variable = node.literals.get(segment), node.variable
            if literal is not None and (variable is not None or node.rest is not None):
                found = literal.end(segments, place + 1, values)
                if found is not None:
                    return found
                literal = None
            if literal is not None:
                node = literal
            elif variable is not None and node.rest is None:
                node, values = variable, (*values, segment)
            else:
                return node.ways(segments, place, values)
            place += 1
        return (node.endpoint, node.names, values) if node.endpoint is not None else None

    def ways(self, segments: Sequence[str], place: int, values: tuple[str, ...]) -> _Found | None:
        """As `end`, where the next segment is no name that leads on."""
        if self.variable is not None:
            found = self.variable.end(segments, place + 1, (*values, segments[place]))
            if found is not None:
                return found
        if self.rest is not None:
            return self.rest.end((), 0, (*values, "/".join(segments[place:])))
        return None


_Found = tuple[Endpoint, tuple[str, ...], tuple[str, ...]]


class Paths:
    """Every path of a node.

    Args:
        nowhere: answers all others.

    `endpoints` are what answers, by path as it was added.
    """

    def __init__(self, nowhere: Endpoint) -> None:
        self._root = _Node()
        self._nowhere = nowhere
        self.endpoints: dict[str, Endpoint] = {}

    def add(self, path: str, endpoint: Endpoint, rest: str = "") -> None:
        """Adds a path.

        Args:
            path: `/segments/{variable}/...`.
            rest: the variable at the end that takes all that follows, slashes too.
        """
        node, names = self._root, []
        for segment in path.split("/")[1:]:
            match = _VARIABLE.fullmatch(segment)
            if match is None:
                node = node.literals.setdefault(segment, _Node())
                continue
            names.append(match[1])
            if match[1] == rest:
                node.rest = node = node.rest or _Node()
            else:
                node.variable = node = node.variable or _Node()
        if node.endpoint is not None:
            raise ValueError(f"the path {path} is there twice")
        node.endpoint, node.names = endpoint, tuple(names)
        self.endpoints[path] = endpoint

    def find(self, path: str) -> tuple[Endpoint, dict[str, str]]:
        """What answers a path, with its variables."""
        found = self._root.end(path.split("/"), 1, ())
        if found is None:
            return self._nowhere, {}
        endpoint, names, values = found
        return endpoint, dict(zip(names, values, strict=True))
