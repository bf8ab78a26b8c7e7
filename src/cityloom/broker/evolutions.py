"""Reading the past: temporal evolutions by id and by query, cut where they are too long.

Source: ETSI GS CIM 009 clauses 5.7.3, 5.7.4, 4.11, 4.5.19, 6.3.10.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from cityloom.broker.door import Door
from cityloom.broker.instances import brief
from cityloom.broker.ports import AggregatedEvolution, AggregatedValue, Call, Evolution, TemporalPage
from cityloom.broker.windows import bounded, conveying, cut, full_at, time_of, window_of
from cityloom.model.entity import Entity
from cityloom.model.errors import InvalidRequest, ResourceNotFound, TooComplexQuery, TooManyResults
from cityloom.model.history import Instance
from cityloom.query.aggregate import Aggregate, aggregate, aggregate_numbers
from cityloom.query.evaluate import matcher, matches_scope
from cityloom.query.values import AggregateMethod, Query, ScopeExpression, TemporalQuery
from cityloom.store.changes import SCOPE
from cityloom.store.history_ports import HistoryEntity, HistoryReads, Window
from cityloom.store.ports import Snapshot

_LOOK_AT_ONCE: Final = 200
"""Entities that a temporal query looks at in one snapshot, so that no reader is long."""

Selects = Callable[[HistoryReads, str, HistoryEntity], bool]


class Evolutions(Door):
    """Temporal evolutions."""

    async def retrieve_history(
        self,
        call: Call,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        dataset_ids: Sequence[str] = (),
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.3. Raises ResourceNotFound."""
        self._may(call, "read", entity_id)

        def work(snapshot: Snapshot) -> TemporalPage:
            return self._one(snapshot, call.tenant, entity_id, temporal, names, dataset_ids, instances)

        return await self._read(call, work)

    def _one(
        self,
        reads: HistoryReads,
        tenant: str,
        entity_id: str,
        temporal: TemporalQuery,
        names: Sequence[str],
        dataset_ids: Sequence[str],
        instances: int | None,
    ) -> TemporalPage:
        """The answer of `retrieve_history`, from whatever holds the history. Raises ResourceNotFound."""
        window = window_of(temporal, names, dataset_ids)
        most = self._most(instances)
        entity = reads.history_entity(tenant, entity_id)
        if entity is None:
            raise ResourceNotFound(f"temporal evolution of entity {entity_id} does not exist")
        if temporal.aggr_methods:
            aggregated = _aggregated(reads, tenant, entity, window, temporal)
            if names and not aggregated.attributes:
                _require_any(reads, tenant, entity_id, names)
            return TemporalPage(evolutions=[], aggregated=[aggregated])
        evolution = _evolution(reads, tenant, entity, window, most)
        if names and not evolution.instances:
            _require_any(reads, tenant, entity_id, names)
        return self._page([evolution], temporal, most)

    async def query_history(
        self,
        call: Call,
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str] = (),
        count: bool = False,
        instances: int | None = None,
    ) -> TemporalPage:
        """5.7.4.

        Cost: a look at each entity of the page and the one behind it; and at all before it where the
        query has an offset alone, at all that there are where they are counted or in descending order.

        Raises:
            TooComplexQuery: it would look at more entities than a limit allows.
        """
        self._may(call, "read", "history")
        selects = selection(query, temporal)
        descending = query.order_by is not None and query.order_by.terms[0].descending
        by_key = not (count or descending)
        after, most = (query.after, query.limit + 1) if by_key else ("", _LOOK_AT_ONCE)
        if after:
            query = replace(query, offset=0)
        matched = 0
        page: list[HistoryEntity] = []
        more = False
        async for found in self._selected(call, query, selects, after, most):
            matched += len(found)
            if descending:
                page = [*reversed(found), *page]
                continue
            skipped = max(0, query.offset - (matched - len(found)))
            page += found[skipped : skipped + query.limit - len(page)]
            more = matched > query.offset + query.limit
            if more and not count:
                break

        if descending:
            more = matched > query.offset + query.limit
            page = page[query.offset : query.offset + query.limit]

        def read(snapshot: Snapshot) -> TemporalPage:
            return self._many(snapshot, call.tenant, page, query, temporal, names, instances)

        answer = await self._read(call, read)
        last = page[-1].id if page and by_key else ""
        return replace(answer, more=more, last=last, count=matched if count else None)

    def _many(
        self,
        reads: HistoryReads,
        tenant: str,
        page: Sequence[HistoryEntity],
        query: Query,
        temporal: TemporalQuery,
        names: Sequence[str],
        instances: int | None,
    ) -> TemporalPage:
        """The evolutions of the entities of a page, from whatever holds the history."""
        window = window_of(temporal, names, query.dataset_ids)
        most = self._most(instances)
        if temporal.aggr_methods:
            aggregated = [_aggregated(reads, tenant, entity, window, temporal) for entity in page]
            return TemporalPage(evolutions=[], aggregated=aggregated)
        evolutions = [_evolution(reads, tenant, entity, window, most) for entity in page]
        if query.dataset_ids or names:
            evolutions = [evolution for evolution in evolutions if evolution.instances]
        return self._page(evolutions, temporal, most)

    async def history_ids(self, call: Call, query: Query, temporal: TemporalQuery, most: int) -> list[str]:
        """The ids of all evolutions that a query selects, in its order, paging left aside.

        Raises:
            TooManyResults: there are more than `most`.
            TooComplexQuery: it would look at more entities than a limit allows.
        """
        self._may(call, "read", "history")
        ids: list[str] = []
        async for found in self._selected(call, query, selection(query, temporal)):
            ids += [entity.id for entity in found]
            if len(ids) > most:
                raise TooManyResults(f"the query selects more than {most} entities")
        descending = query.order_by is not None and query.order_by.terms[0].descending
        return ids[::-1] if descending else ids

    async def _selected(
        self, call: Call, query: Query, selects: Selects, after_id: str = "", first: int = _LOOK_AT_ONCE
    ) -> AsyncIterator[list[HistoryEntity]]:
        """Those selected, by id from `after_id` on, some at once: of the `first`, and then of more.

        Raises:
            TooComplexQuery: it would look at more entities than a limit allows.
        """
        place = 0
        at_once = min(first, _LOOK_AT_ONCE)
        while True:

            def look(
                snapshot: Snapshot, after_id: str = after_id, at_once: int = at_once
            ) -> tuple[list[HistoryEntity], str]:
                found = snapshot.history_entities(
                    call.tenant,
                    ids=query.ids,
                    id_pattern=query.id_pattern,
                    types=query.types,
                    attrs=query.attrs,
                    after_id=after_id,
                    limit=at_once,
                )
                last = found[-1].id if len(found) == at_once else ""
                return [entity for entity in found if selects(snapshot, call.tenant, entity)], last

            found, after_id = await self._read(call, look)
            yield found
            place += at_once
            at_once = min(2 * at_once, _LOOK_AT_ONCE)
            if not after_id:
                return
            if place > self._limits.history_scan:
                raise TooComplexQuery(
                    f"the temporal query looks at more than {self._limits.history_scan} entities: "
                    "name ids, a type or an id pattern that select fewer"
                )

    def _most(self, asked: int | None) -> int:
        return self._limits.instances if asked is None else min(asked, self._limits.instances_max)

    def _page(self, evolutions: Sequence[Evolution], temporal: TemporalQuery, most: int) -> TemporalPage:
        answer = cut(evolutions, temporal, most, self._limits.instances_max)
        return TemporalPage(
            evolutions=answer.evolutions,
            cut=answer.cut,
            range_start=answer.range_start,
            range_end=answer.range_end,
            size=temporal.last_n if answer.cut else None,
        )


def selection(query: Query, temporal: TemporalQuery) -> Selects:
    """What decides whether an entity in history is selected, by its instances in the window (5.7.4)."""
    concerned = window_of(replace(temporal, last_n=None), query.attrs)
    asked = None
    if query.q is not None or query.geo is not None:
        asked = matcher(Query(q=query.q, geo=query.geo))
    scope_q = query.scope_q

    def selects(reads: HistoryReads, tenant: str, entity: HistoryEntity) -> bool:
        any_window = replace(concerned, last_n=1)
        if temporal.timeproperty == "deletedAt":
            any_window = concerned
        if not conveying(reads.instances(tenant, entity.id, any_window), temporal.timeproperty):
            return False
        if asked is not None:
            all_window = replace(concerned, names=None)
            instances = conveying(reads.instances(tenant, entity.id, all_window), temporal.timeproperty)
            attributes = {
                name: [instance.attribute for instance in of_name if instance.attribute.deleted_at is None]
                for name, of_name in instances.items()
            }
            seen = Entity(
                id=entity.id,
                types=entity.types,
                scopes=entity.scopes,
                attributes={name: of_name for name, of_name in attributes.items() if of_name},
            )
            if not asked(seen):
                return False
        return scope_q is None or _had_scope(reads, tenant, entity, scope_q, concerned)

    return selects


def _had_scope(
    reads: HistoryReads, tenant: str, entity: HistoryEntity, scope_q: ScopeExpression, window: Window
) -> bool:
    """Whether the entity had matching scopes at any time of the window (4.18: valid until changed)."""
    changes = reads.instances(tenant, entity.id, Window(names=[SCOPE])).get(SCOPE, [])
    if not changes:
        return matches_scope(scope_q, entity.scopes)
    times = [time_of(change.attribute, "modifiedAt") for change in changes]
    for change, begins, ends in zip(changes, times, [*times[1:], None], strict=True):
        scopes = change.attribute.value
        if change.attribute.deleted_at is not None or not isinstance(scopes, list):
            continue
        begins_in_time = window.end is None or begins < window.end
        ends_in_time = window.start is None or ends is None or ends > window.start
        if begins_in_time and ends_in_time and matches_scope(scope_q, scopes):
            return True
    return False


def _evolution(
    reads: HistoryReads, tenant: str, entity: HistoryEntity, window: Window, most: int
) -> Evolution:
    within = bounded(window, most)
    if window.timeproperty == "deletedAt":
        within = window
    instances = reads.instances(tenant, entity.id, within)
    full = [name for name, of_name in instances.items() if full_at(of_name, window, most)]
    if full:
        instances.update(reads.instances(tenant, entity.id, replace(window, names=full)))
    return Evolution(entity=entity, instances=conveying(instances, window.timeproperty))


def _require_any(reads: HistoryReads, tenant: str, entity_id: str, names: Sequence[str]) -> None:
    if not reads.instances(tenant, entity_id, Window(names=list(names), last_n=1)):
        listed = ", ".join(brief(name) for name in names)
        raise ResourceNotFound(f"entity {entity_id} does not exist with any of the attributes {listed}")


def _series(
    reads: HistoryReads, tenant: str, entity_id: str, name: str, window: Window, temporal: TemporalQuery
) -> Iterator[tuple[str, str, Callable[[], dict[AggregateMethod, Aggregate]]]]:
    """(dataset, kind of attribute, what aggregates it) of what a window holds of an attribute."""
    columns = reads.number_columns(tenant, entity_id, name, window)
    if columns is not None:
        for dataset_id, column in columns.items():
            yield dataset_id, "Property", partial(aggregate_numbers, column.times, column.numbers, temporal)
        return
    by_dataset: dict[str, list[Instance]] = {}
    for instance in reads.instances(tenant, entity_id, replace(window, names=[name])).get(name, []):
        by_dataset.setdefault(instance.attribute.dataset_id, []).append(instance)
    for dataset_id, instances in by_dataset.items():
        yield dataset_id, instances[-1].attribute.kind, partial(aggregate, instances, temporal)


def _aggregated(
    reads: HistoryReads,
    tenant: str,
    entity: HistoryEntity,
    window: Window,
    temporal: TemporalQuery,
) -> AggregatedEvolution:
    """Aggregates each attribute and dataset, one attribute after the other, so that only one is held.

    An attribute that was not asked for by name is left out when no method fits its values.

    Raises:
        InvalidRequest: no method fits the values of an attribute that was asked for (5.7.4.4).
    """
    attributes: dict[tuple[str, str], dict[str, list[AggregatedValue]]] = {}
    kinds: dict[tuple[str, str], str] = {}
    if window.names is not None:
        names = list(dict.fromkeys(window.names))
    else:  # those that have something in the window
        names = list(reads.instances(tenant, entity.id, replace(window, last_n=1)))
    for name in names:
        if window.names is None and name == SCOPE:
            continue
        for dataset_id, kind, aggregated in _series(reads, tenant, entity.id, name, window, temporal):
            try:
                results = aggregated()
            except InvalidRequest:
                if window.names is not None:
                    raise
                continue
            if results:
                kinds[name, dataset_id] = kind
                attributes[name, dataset_id] = {
                    method: [AggregatedValue(*period) for period in periods]
                    for method, periods in results.items()
                }
    return AggregatedEvolution(entity=entity, attributes=attributes, kinds=kinds)
