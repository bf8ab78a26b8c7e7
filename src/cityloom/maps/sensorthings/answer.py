"""Answers: rows, pages of rows and what is expanded in them, as the standard's JSON.

Source: OGC 18-088 clauses 8.1 (control information), 9.2 (responses), 9.3 (query options), 12 (data arrays).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from cityloom.maps.sensorthings.domain import order_key
from cityloom.maps.sensorthings.expressions import Expression
from cityloom.maps.sensorthings.ids import parse_series_id
from cityloom.maps.sensorthings.model import KINDS, Kind, self_link
from cityloom.maps.sensorthings.narrow import narrowing_of
from cityloom.maps.sensorthings.options import Options, Position
from cityloom.maps.sensorthings.rows import Datastream, Observation, Row
from cityloom.maps.sensorthings.series import Span, Wish
from cityloom.maps.sensorthings.view import Narrowing, View
from cityloom.model.errors import TooComplexQuery

DEFAULT_PAGE: Final = 100
MOST_ROWS: Final = 10_000
"""Entities of one answer, expanded ones counted: beyond, pages end early and tell where they go on."""
MOST_SORTED: Final = 250_000
"""Rows that can be put in an order that history does not have."""
_ARRAY: Final = ("id", "phenomenonTime", "resultTime", "result", "parameters")


class Source(Struct, frozen=True):
    """Where a collection's rows come from: a set as a whole, or a row and its navigation property."""

    kind: Kind
    url: str
    row: Row | None = None
    link: str = ""

    def rows(self, view: View, narrowing: Narrowing) -> Iterator[Row]:
        """The rows; the narrowing may have left some out that no filter lets through."""
        if self.row is None:
            return view.all(self.kind.name, narrowing)
        return view.related(self.row, self.link, narrowing)


class Answers:
    """Renders the answer to one request."""

    def __init__(self, view: View, largest_page: int) -> None:
        self._view = view
        self._largest = largest_page
        self._rendered = 0

    # -- collections -------------------------------------------------------
    def collection(self, source: Source, options: Options, *, refs: bool = False) -> dict[str, Any]:
        """`{"@iot.count", "@iot.nextLink", "value"}` of a collection (`refs`: of the links to its rows)."""
        page = self._page(source, options)
        value: list[Any] = []
        following = page.following
        for place, row in enumerate(page.rows):
            if value and self._rendered >= MOST_ROWS:
                following = page.link_to(place)
                break
            self._rendered += 1
            if refs:
                value.append({"@iot.selfLink": self_link(self._view, source.kind, row.id)})
            else:
                value.append(self.entity(source.kind, row, options))
        answer: dict[str, Any] = {}
        if options.count:
            answer["@iot.count"] = self._count(source, options)
        if following:
            answer["@iot.nextLink"] = following
        answer["value"] = self._arrays(page.rows[: len(value)], value) if options.data_array else value
        return answer

    def entity(self, kind: Kind, row: Row, options: Options) -> dict[str, Any]:
        """One entity: control information, properties, links, and what is expanded."""
        link = self_link(self._view, kind, row.id)
        select = options.select
        if options.data_array:
            select = [name for name in _ARRAY if name in (select or _ARRAY)]
        told: dict[str, Any] = {}
        if not select or "id" in select:
            told["@iot.id"] = row.id
        if not select or "selfLink" in select:
            told["@iot.selfLink"] = link
        for name, known in kind.properties.items():
            if not select or name in select:
                value = known.get(self._view, row)
                if value is not None or options.data_array:
                    told[name] = value
        for name, way in kind.links.items():
            nested = options.expand.get(name)
            if nested is None:
                if not select or name in select:
                    told[f"{name}@iot.navigationLink"] = f"{link}/{name}"
                continue
            target = KINDS[way.target]
            if way.many:
                page = self.collection(Source(target, f"{link}/{name}", row, name), nested)
                told[name] = page.pop("value")
                told |= {f"{name}{control}": value for control, value in page.items()}
            else:
                end = next(self._view.related(row, name), None)
                self._rendered += 1
                told[name] = None if end is None else self.entity(target, end, nested)
        return told

    def _arrays(self, rows: list[Row], entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Observations as arrays, those of one Datastream together (clause 12)."""
        groups: dict[str, dict[str, Any]] = {}
        for row, told in zip(rows, entities, strict=True):
            assert isinstance(row, Observation)
            values = {
                ("id" if name == "@iot.id" else name): value
                for name, value in told.items()
                if "Link" not in name
            }
            datastream = self_link(self._view, KINDS["Datastreams"], row.datastream.id)
            group = groups.setdefault(
                datastream,
                {"Datastream@iot.navigationLink": datastream, "components": list(values), "dataArray": []},
            )
            group["dataArray"].append(list(values.values()))
        return [{**group, "dataArray@iot.count": len(group["dataArray"])} for group in groups.values()]

    # -- pages -------------------------------------------------------------
    def _page(self, source: Source, options: Options) -> _Page:
        size = min(DEFAULT_PAGE if options.top is None else options.top, self._largest)
        if size == 0:
            return _Page(source, options, [], None)
        narrowing = self._narrowing(source, options, size)
        in_order = not options.order or (source.kind.name == "Observations" and options.by_time is not None)
        if not in_order:
            rows = self._sorted(source.rows(self._view, narrowing), options)
            return _Page.by_place(source, options, rows, size)
        found = source.rows(self._view, narrowing)
        if source.kind.name != "Observations":
            return _Page.by_place(source, options, self._passing(found, options.filter), size)
        return _Page.by_time(source, options, self._passing(found, options.filter), size)

    def _narrowing(self, source: Source, options: Options, size: int) -> Narrowing:
        narrowing = narrowing_of(self._view, source.kind.name, options.filter)
        wish = narrowing.wish
        position = options.position
        by_time = options.by_time
        span = wish.span
        if by_time is None and source.link == "Observations" and not options.order:
            by_time = False
        begin = None
        if position is not None and position.datastream:
            key = parse_series_id(position.datastream)
            begin = None if key is None else (key, position.time)
        elif position is not None:
            if by_time:
                span = Span(span.start, min(span.end, position.time + 1))
            else:
                span = Span(max(span.start, position.time), span.end)
        skip = options.skip if position is None else position.skip
        sure = options.filter is None or narrowing.exact
        at_first = skip + size + 1 if sure else max(size * 2, 100)
        return replace(
            narrowing, wish=replace(wish, span=span, by_time=by_time, at_first=at_first, begin=begin)
        )

    def _passing(self, rows: Iterable[Row], condition: Expression | None) -> Iterator[Row]:
        view = self._view
        return (row for row in rows if condition is None or condition.holds(view, row))

    def _sorted(self, rows: Iterable[Row], options: Options) -> Iterator[Row]:
        passing = list(islice(self._passing(rows, options.filter), MOST_SORTED + 1))
        if len(passing) > MOST_SORTED:
            raise TooComplexQuery(
                f"parameter $orderby is invalid: more than {MOST_SORTED} entities would have to be sorted; "
                "filter them, or order Observations by phenomenonTime"
            )
        # Sorts are stable: the last term first, the first term last.
        for expression, descending in reversed(options.order):
            keyed = [(order_key(expression.value(self._view, row)), row) for row in passing]
            keyed.sort(key=lambda pair: pair[0], reverse=descending)
            passing = [row for _, row in keyed]
        return iter(passing)

    def _count(self, source: Source, options: Options) -> int:
        """How many rows there are on all pages.

        Cost: all of them are looked at; of Observations that a filter leaves to the store, only counted.
        """
        unpaged = replace(options, position=None, skip=0, order=[])
        narrowing = self._narrowing(source, unpaged, self._largest)
        if source.kind.name == "Observations" and narrowing.exact:
            return sum(
                self._count_of(each, narrowing.wish, options.filter)
                for each in self._view.observed(source.row, narrowing)
            )
        return sum(1 for _ in self._passing(source.rows(self._view, narrowing), options.filter))

    def _count_of(self, datastream: Datastream, wish: Wish, condition: Expression | None) -> int:
        series = self._view.series
        if wish.numbers is None:
            return series.count(datastream, wish.span)
        counted = series.count_numbers(datastream, wish.span, wish.numbers)
        if counted is not None:
            return counted
        found = series.of(datastream, wish.span, self._largest, numbers=wish.numbers)
        return sum(1 for _ in self._passing(found, condition))


class _Page:
    """Rows of a page, and the links to what follows them.

    Args:
        run: of observations in their natural order: where the page begins.
    """

    def __init__(self, source: Source, options: Options, rows: list[Row], run: Position | None) -> None:
        self._source = source
        self._options = options
        self._run = run
        self.rows = rows
        self.following = ""

    @classmethod
    def by_place(cls, source: Source, options: Options, rows: Iterator[Row], size: int) -> _Page:
        """A page whose next one begins at a place in the order."""
        found = list(islice(rows, options.skip, options.skip + size + 1))
        return cls(source, options, found[:size], None)._followed(len(found) > size)

    @classmethod
    def by_time(cls, source: Source, options: Options, rows: Iterator[Row], size: int) -> _Page:
        """A page of observations whose next one begins at a time: reading on costs no more than reading."""
        skip = options.skip if options.position is None else options.position.skip
        run = _NOWHERE
        for row in islice(rows, skip):
            run = _reached(run, row, source, options)
        found = list(islice(rows, size + 1))
        return cls(source, options, found[:size], run)._followed(len(found) > size)

    def _followed(self, more: bool) -> _Page:
        if more:
            self.following = self.link_to(len(self.rows))
        return self

    def link_to(self, place: int) -> str:
        """The URL of the page that begins with row number `place` of this one."""
        raw = {
            name: value for name, value in self._options.raw.items() if name not in ("$skip", "$skiptoken")
        }
        if self._run is None:
            raw["$skip"] = str(self._options.skip + place)
        else:
            run = self._run
            for row in self.rows[:place]:
                run = _reached(run, row, self._source, self._options)
            raw["$skiptoken"] = str(run)
        # The blank as %20: `+` is a blank to forms alone.
        return f"{self._source.url}?{urlencode(raw, quote_via=quote, safe='$,:/()')}"


_NOWHERE: Final = Position(0, 0)


def _reached(run: Position, row: Row, source: Source, options: Options) -> Position:
    """The position behind `row`: how many rows of its time (and Datastream) are behind by now."""
    assert isinstance(row, Observation)
    chained = source.row is None and options.by_time is None
    datastream = row.datastream.id if chained else ""
    same = run.skip > 0 and (run.time, run.datastream) == (row.time, datastream)
    return Position(row.time, run.skip + 1 if same else 1, datastream)
