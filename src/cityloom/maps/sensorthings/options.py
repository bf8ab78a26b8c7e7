"""The query options of a request, and those nested in `$expand`: read and compiled before any data.

Source: OGC 18-088 clause 9.3 (query options); OASIS OData 4.0 URL conventions 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cityloom.maps.sensorthings.expressions import Expression, compile_expression, path_of
from cityloom.maps.sensorthings.model import KINDS, Kind
from cityloom.maps.sensorthings.narrow import TIMES
from cityloom.maps.sensorthings.root import OPTIONS
from cityloom.model.errors import BadRequestData, InvalidRequest, TooComplexQuery

_NESTED: Final = OPTIONS - {"$skiptoken", "$resultFormat"}
_DEEPEST: Final = 6
_MOST_EXPANDED: Final = 30
_DIGITS: Final = 15


class Position(Struct, frozen=True):
    """Where to go on among observations: after `skip` of those with `time` (µs) of a Datastream.

    `datastream` is empty where all are in order of time.
    """

    time: int
    skip: int
    datastream: str = ""

    def __str__(self) -> str:
        return f"{self.time},{self.skip},{self.datastream}"


class Options(Struct, frozen=True, kw_only=True):
    """What is asked of a collection or of one entity.

    `raw` are the options as they came, for links; `top` None is the node's page.
    """

    raw: dict[str, str] = {}
    filter: Expression | None = None
    order: list[tuple[Expression, bool]] = []
    select: list[str] = []
    expand: dict[str, Options] = {}
    top: int | None = None
    skip: int = 0
    count: bool = False
    position: Position | None = None
    data_array: bool = False

    @property
    def by_time(self) -> bool | None:
        """True when the order is by time with the latest first, False with the earliest; None otherwise."""
        if len(self.order) != 1 or path_of(self.order[0][0].tree) not in TIMES:
            return None
        return self.order[0][1]


def read_options(params: Mapping[str, str], kind: Kind, depth: int = 0) -> Options:
    """Reads the options for rows of a set.

    Raises:
        BadRequestData: an option is no such option, or names what does not exist.
        NotBuilt: a filter uses what is not built.
        TooComplexQuery: it nests too deep or expands too much.
    """
    for name in ("$filter", "$expand", "$select", "$orderby"):
        if params.get(name) is not None and not params[name].strip():
            raise InvalidRequest(f"parameter {name} is invalid: it is empty")
    condition = params.get("$filter")
    token = params.get("$skiptoken")
    form = params.get("$resultFormat", "")
    if form and (form != "dataArray" or kind.name != "Observations"):
        raise BadRequestData(
            "parameter $resultFormat is invalid: dataArray, of Observations, is what there is"
        )
    expand = _read_expand(params.get("$expand", ""), kind, depth)
    if form and expand:
        raise BadRequestData("parameter $expand is invalid: a dataArray has no place for it")
    return Options(
        raw={name: params[name] for name in params if name in OPTIONS},
        filter=None if condition is None else compile_expression(condition, kind, "$filter"),
        order=_read_order(params.get("$orderby", ""), kind),
        select=_read_select(params.get("$select", ""), kind),
        expand=expand,
        top=_read_number(params, "$top"),
        skip=_read_number(params, "$skip") or 0,
        count=_read_flag(params, "$count"),
        position=None if token is None else _read_token(token, kind),
        data_array=bool(form),
    )


def _read_number(params: Mapping[str, str], name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= _DIGITS):
        raise BadRequestData(f"parameter {name} is invalid: {value[:100]!r} is no whole number >= 0")
    return int(value)


def _read_flag(params: Mapping[str, str], name: str) -> bool:
    value = params.get(name, "false")
    if value.lower() not in ("true", "false"):
        raise BadRequestData(f"parameter {name} is invalid: {value[:100]!r} is neither true nor false")
    return value.lower() == "true"


def _read_token(token: str, kind: Kind) -> Position:
    time, skip, datastream = [*token.split(",", 2), "", ""][:3]
    if kind.name != "Observations" or not (
        skip.isascii() and skip.isdigit() and len(skip) <= _DIGITS and len(time) <= 20
    ):
        raise BadRequestData("parameter $skiptoken is invalid: it is no token of this node")
    try:
        return Position(int(time), int(skip), datastream)
    except ValueError:
        raise BadRequestData("parameter $skiptoken is invalid: it is no token of this node") from None


def _read_order(text: str, kind: Kind) -> list[tuple[Expression, bool]]:
    order = []
    for part in split(text, ",", "$orderby"):
        words = part.rsplit(None, 1)
        descending = len(words) == 2 and words[1].lower() == "desc"
        if len(words) == 2 and words[1].lower() in ("asc", "desc"):
            part = words[0]
        order.append((compile_expression(part, kind, "$orderby"), descending))
    return order


def _read_select(text: str, kind: Kind) -> list[str]:
    names = [
        {"@iot.id": "id", "@iot.selfLink": "selfLink"}.get(name, name) for name in split(text, ",", "$select")
    ]
    for name in names:
        if name not in kind.properties and name not in kind.links and name not in ("id", "selfLink"):
            listed = ", ".join(["id", *kind.properties, *kind.links])
            raise BadRequestData(
                f"parameter $select is invalid: {name[:100]} does not exist on {kind.name}, "
                f"which have {listed}"
            )
    return names


def _read_expand(text: str, kind: Kind, depth: int) -> dict[str, Options]:
    expand: dict[str, Options] = {}
    parts = split(text, ",", "$expand")
    if (parts and depth >= _DEEPEST) or len(parts) > _MOST_EXPANDED:
        raise TooComplexQuery(f"parameter $expand is invalid: it nests deeper than {_DEEPEST} or is too long")
    for part in parts:
        path, _, rest = part.partition("(")
        name, slash, _ = path.strip().partition("/")
        link = kind.links.get(name)
        if link is None:
            listed = ", ".join(kind.links)
            raise BadRequestData(
                f"parameter $expand is invalid: {name[:100]} does not lead from {kind.name}; {listed} do"
            )
        if rest and not rest.endswith(")"):
            raise BadRequestData(f"parameter $expand is invalid: a closing bracket is required after {name}")
        # `Datastreams/Observations(…)`: what follows the slash is expanded in turn.
        nested = {"$expand": part[part.index("/") + 1 :]} if slash else _read_nested(rest[:-1])
        options = read_options(nested, KINDS[link.target], depth + 1)
        expand[name] = _joined(expand[name], options) if name in expand else options
    return expand


def _joined(one: Options, other: Options) -> Options:
    """`Datastreams/Sensor,Datastreams/Thing`: the same way with two ends."""
    if other.raw.keys() - {"$expand"} or one.raw.keys() - {"$expand"}:
        raise BadRequestData("parameter $expand is invalid: a navigation property is given twice")
    raw = {"$expand": ",".join(each.raw["$expand"] for each in (one, other) if "$expand" in each.raw)}
    return Options(raw=raw, expand={**one.expand, **other.expand})


def _read_nested(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for part in split(text, ";", "$expand"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in _NESTED:
            raise BadRequestData(f"parameter $expand is invalid: {name[:100]!r} is no option inside of it")
        if name in params:
            raise BadRequestData(f"parameter $expand is invalid: {name} is given twice")
        params[name] = value
    return params


def split(text: str, separator: str, place: str) -> list[str]:
    """Splits at separators outside of quotes and brackets.

    Raises:
        BadRequestData: a member is empty, or a quote or bracket is not closed.
    """
    if not text.strip():
        return []
    parts, depth, start, quoted = [], 0, 0, False
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif char in "()":
            depth += 1 if char == "(" else -1
            if depth < 0:
                break
        elif char == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    if depth or quoted:
        raise BadRequestData(f"parameter {place} is invalid: a quote or bracket is not closed")
    if not all(parts):
        raise BadRequestData(f"parameter {place} is invalid: it has an empty member")
    return parts
