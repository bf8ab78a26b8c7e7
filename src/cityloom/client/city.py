"""One node, as an analyst sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, Self
from urllib.parse import quote

from cityloom.client.entities import PATH, Document, Entities, entity_row, read_entities
from cityloom.client.events import Change, follow
from cityloom.client.history import (
    AggregatedHistory,
    History,
    read_aggregates,
    read_history,
)
from cityloom.client.http import Http, moment
from cityloom.client.items import Items, feature_row, read_items

Instant = datetime | str
"""A datetime with a time zone, or an ISO 8601 text."""
Names = str | Sequence[str]
"""One name, or several."""
TimeProperty = Literal["observedAt", "createdAt", "modifiedAt"]
_OF_INSTANCES = ("datasetId", "repeats")


class City:
    """A node of Cityloom; use it in a `with` block, or close it.

    Args:
        url: where it answers, e.g. `http://127.0.0.1:8026`.
        api_key: as `cityloom key add` gave it; none for an open node.
        tenant: whose data; none is the default tenant.
        context: URL of the JSON-LD `@context` that names are in; none is NGSI-LD's core context.
        timeout: seconds that the node may be silent.
    """

    def __init__(
        self, url: str, *, api_key: str = "", tenant: str = "", context: str = "", timeout: float = 60.0
    ) -> None:
        self._http = Http(url, api_key, tenant, context, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    # -- the city ----------------------------------------------------------
    def describe_city(self) -> dict[str, Any]:
        """The city: name, box, time zone, datum, and where its log stands (`seq`)."""
        found: dict[str, Any] = self._http.get("/city")
        return found

    def list_layers(self) -> list[dict[str, Any]]:
        """The entity types with counts, boxes and attributes."""
        found: list[dict[str, Any]] = self._http.get("/map/layers")
        return found

    def list_types(self) -> list[str]:
        """The names of the entity types in use (ETSI GS CIM 009 clause 5.7.5)."""
        found: list[str] = self._http.get("/ngsi-ld/v1/types")["typeList"]
        return found

    def list_sources(self) -> list[dict[str, Any]]:
        """Every source with its last run and quality report."""
        found: list[dict[str, Any]] = self._http.get("/sources")
        return found

    # -- current entities --------------------------------------------------
    def retrieve_entity(self, entity_id: str, **params: Any) -> Document:
        """One entity, normalized. Raises CityError (404) when it does not exist."""
        found: Document = self._http.get(_entity(entity_id), params)
        return found

    def query_entities(
        self,
        type: Names | None = None,
        *,
        q: str | None = None,
        attrs: Names | None = None,
        limit: int | None = None,
        **params: Any,
    ) -> Entities:
        """The entities that a query selects; nothing is read before it is walked or made a frame.

        Args:
            type: selection of types (clause 4.17).
            q: query on values, e.g. `powerRating>70;lampType=="led"` (clause 4.9).
            attrs: attributes that entities must have one of, and that are answered.
            limit: the most to read; none is all.
            params: every other parameter of `queryEntities` (`id`, `idPattern`, `scopeQ`, `georel`,
                `geometry`, `coordinates`, `pick`, `omit`, `orderBy`, `lang`, `options`, …).
        """
        wanted = {"type": type, "q": q, "attrs": attrs, **params}
        if not any((type, q, attrs, params.get("georel"))):
            wanted.setdefault("local", True)
        return Entities(partial(read_entities, self._http, wanted, limit), entity_row)

    def create_entity(self, entity: Document) -> None:
        """Creates an entity (clause 5.6.1). Raises CityError (409) when it exists."""
        self._http.request("POST", PATH, body=entity)

    def update_attributes(self, entity_id: str, fragment: Document) -> None:
        """Replaces or adds attributes (clause 5.6.2)."""
        self._http.request("PATCH", f"{_entity(entity_id)}/attrs", body=fragment)

    def merge_entity(self, entity_id: str, fragment: Document) -> None:
        """Merges a fragment into an entity (clause 5.6.17)."""
        self._http.request("PATCH", _entity(entity_id), body=fragment)

    def delete_entity(self, entity_id: str) -> None:
        """Deletes an entity (clause 5.6.6)."""
        self._http.request("DELETE", _entity(entity_id))

    def batch_upsert(self, entities: Sequence[Document]) -> list[dict[str, Any]]:
        """Creates or replaces entities (clause 5.6.8); the errors, item by item: [] when all went well."""
        answer = self._http.request("POST", "/ngsi-ld/v1/entityOperations/upsert", body=list(entities))
        return answer.json()["errors"] if answer.status_code == 207 else []

    # -- the past ----------------------------------------------------------
    def query_history(
        self,
        type: Names | None = None,
        *,
        id: Names | None = None,
        attrs: Names | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        timeproperty: TimeProperty = "observedAt",
        **params: Any,
    ) -> History:
        """Instances of attributes within [start, end), of the entities that a query selects now or by id.

        Args:
            type: selection of types; not needed with `id`.
            id: ids of entities, which may be deleted ones.
            attrs: attributes; none is all.
            start: none is the beginning.
            end: none is now.
            timeproperty: which time of an instance counts.
            params: further parameters that select entities (`q`, `georel`, …), or instances (`datasetId`,
                `repeats="omit"`).
        """
        selecting = {name: value for name, value in params.items() if name not in _OF_INSTANCES}
        asked: dict[str, Any] = {"attrs": attrs}
        asked |= {name: params[name] for name in _OF_INSTANCES if name in params}

        def read() -> Iterator[Any]:
            until = end if end is not None else moment(datetime.now().astimezone())
            ids = self._ids(type, id, selecting)
            return read_history(self._http, asked, ids, start, until, timeproperty)

        return History(read, lambda observation: {**observation})

    def retrieve_history(self, entity_id: str, **params: Any) -> History:
        """The instances of one entity; parameters as those of `query_history`."""
        return self.query_history(id=entity_id, **params)

    def aggregate_history(
        self,
        type: Names | None = None,
        *,
        id: Names | None = None,
        attrs: Names | None = None,
        methods: Names = "avg",
        period: str = "PT1H",
        start: Instant,
        end: Instant,
        **params: Any,
    ) -> AggregatedHistory:
        """Aggregates over periods, made by the node (clause 4.5.19).

        Args:
            methods: `avg`, `min`, `max`, `sum`, `totalCount`, `distinctCount`, `stddev`, `sumsq`.
            period: ISO 8601 duration.
        """
        asked = {
            "attrs": attrs,
            "options": "aggregatedValues",
            "aggrMethods": methods,
            "aggrPeriodDuration": period,
            "timerel": "between",
            "timeAt": start,
            "endTimeAt": end,
        }

        def read() -> Iterator[Any]:
            return read_aggregates(self._http, asked, self._ids(type, id, params))

        return AggregatedHistory(read, lambda aggregate: {**aggregate})

    # -- OGC API and live changes ------------------------------------------
    def get_items(
        self,
        collection: str,
        *,
        filter: str | None = None,
        bbox: Sequence[float] | None = None,
        properties: Names | None = None,
        limit: int | None = None,
        **params: Any,
    ) -> Items:
        """Features of a collection (OGC API Features), one collection a type.

        Args:
            filter: CQL2 text, e.g. `powerRating > 70 AND lampType = 'led'`.
            bbox: west, south, east, north in degrees.
            properties: attributes to answer; none is all.
            limit: the most to read; none is all.
            params: `datetime`, `sortby`, `lang`, …
        """
        wanted = {"filter": filter, "bbox": bbox, "properties": properties, **params}
        return Items(partial(read_items, self._http, collection, wanted, limit), feature_row)

    def follow_events(
        self, type: Names | None = None, *, id: Names | None = None, after: int | None = None
    ) -> Iterator[Change]:
        """Changes as they happen, for ever; a cut is resumed behind the last one.

        Args:
            after: a place in the log (`describe_city()["seq"]`); none begins now.
        """
        return follow(self._http, {"type": type, "id": id}, after)

    def _ids(self, type: Names | None, id: Names | None, params: dict[str, Any]) -> list[str]:
        if id is not None and type is None and not params:
            return [id] if isinstance(id, str) else list(id)
        selected = self.query_entities(type, id=id, pick="id", **params)
        return [entity["id"] for entity in selected]


def _entity(entity_id: str) -> str:
    return f"{PATH}/{quote(entity_id, safe='')}"
