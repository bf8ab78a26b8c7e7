"""`/lineage`: which run or request, file and row made a value, as W3C PROV.

Source: PROV-JSON (W3C member submission, 2013), PROV-O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from cityloom.ld.compact import Form, compact_attribute
from cityloom.ld.context import LdContext
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.scanner import is_uri
from cityloom.query.values import TemporalQuery
from cityloom.store.history_ports import Origin
from cityloom.web.answers import plain_json
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.entity_attributes import attribute_name, dataset_of
from cityloom.web.resource import Operation, Schema

_PREFIX: Final = {
    "cityloom": "urn:cityloom:",
    "ngsi-ld": "https://uri.etsi.org/ngsi-ld/",
    "urn": "urn:",
    "http": "http:",
    "https": "https:",
}
_SIMPLIFIED: Final = Form(representation="simplified")
_MOST: Final = 1000


class _Provenance:
    """A PROV document as it grows; every record stands in it once, by its qualified name."""

    def __init__(self, entity_id: str, ld_context: LdContext) -> None:
        self._entity = _name("entity", entity_id)
        self._ld_context = ld_context
        self._records: dict[str, dict[str, dict[str, Any]]] = {}
        self._add("entity", self._entity, {"prov:type": "ngsi-ld:Entity", "ngsi-ld:id": entity_id})

    def add(self, origin: Origin) -> None:
        """Adds one instance with all that led to it."""
        attribute = origin.instance.attribute
        name = self._ld_context.compact_key(origin.instance.name)
        instance = _name("instance", attribute.instance_id or f"{origin.seq}/{name}/{attribute.dataset_id}")
        told: dict[str, Any] = {
            "prov:type": f"ngsi-ld:{attribute.kind}",
            "ngsi-ld:name": name,
            "prov:value": compact_attribute(origin.instance.name, [attribute], self._ld_context, _SIMPLIFIED),
            "ngsi-ld:observedAt": attribute.observed_at,
            "ngsi-ld:datasetId": attribute.dataset_id or None,
            "ngsi-ld:instanceId": attribute.instance_id,
            "ngsi-ld:deletedAt": attribute.deleted_at,
            "cityloom:seq": origin.seq,
        }
        self._add("entity", instance, {key: value for key, value in told.items() if value is not None})
        self._relate(
            "specializationOf", {"prov:specificEntity": instance, "prov:generalEntity": self._entity}
        )
        activity = self._activity(origin.cause)
        at = format_datetime(origin.at)
        self._relate("wasGeneratedBy", {"prov:entity": instance, "prov:activity": activity, "prov:time": at})
        file = self._file(origin.cause)
        if file is not None:
            self._relate("used", {"prov:activity": activity, "prov:entity": file})
            derived = {"prov:generatedEntity": instance, "prov:usedEntity": file, "prov:activity": activity}
            if origin.instance.row is not None:
                derived["cityloom:row"] = origin.instance.row  # type: ignore[assignment]
            self._relate("wasDerivedFrom", derived)

    def document(self) -> dict[str, Any]:
        """The PROV-JSON document."""
        return {"prefix": _PREFIX, **self._records}

    def _activity(self, cause: Cause) -> str:
        activity = _name("activity", cause.id)
        told: dict[str, Any] = {"prov:type": f"cityloom:{cause.kind}"}
        if cause.operation:
            told["cityloom:operation"] = cause.operation
        if cause.source:
            told["cityloom:source"] = cause.source
        self._add("activity", activity, told)
        if cause.party:
            agent = _name("party", cause.party)
            self._add("agent", agent, {"prov:label": cause.party})
            self._relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})
        return activity

    def _file(self, cause: Cause) -> str | None:
        if not cause.file:
            return None
        file = _name("file", cause.sha256 or cause.file)
        told = {"prov:type": "cityloom:File", "prov:label": cause.file}
        if cause.sha256:
            told["cityloom:sha256"] = cause.sha256
        self._add("entity", file, told)
        return file

    def _add(self, kind: str, name: str, told: dict[str, Any]) -> None:
        self._records.setdefault(kind, {})[name] = told

    def _relate(self, kind: str, told: dict[str, Any]) -> None:
        relations = self._records.setdefault(kind, {})
        if told not in relations.values():
            relations[f"_:{kind}{len(relations) + 1}"] = told


def _name(kind: str, id: str) -> str:
    """A qualified name: a URI under one of the declared prefixes, else one of our own."""
    if is_uri(id) and id.partition(":")[0] in ("urn", "http", "https"):
        return id
    return f"cityloom:{kind}:{quote(id, safe=':._~-')}"


async def entity_lineage(incoming: Incoming) -> Response:
    """`GET /lineage/{entityId}`: the newest instance of each attribute and what made it."""
    entity_id = incoming.identifier()
    ld_context = await incoming.ld_context()
    entity = await incoming.services.broker.retrieve_entity(incoming.call, entity_id)
    provenance = _Provenance(entity_id, ld_context)
    for name, instances in entity.attributes.items():
        for dataset_id in {instance.dataset_id for instance in instances}:
            await _add(incoming, provenance, name, TemporalQuery(last_n=1), dataset_id)
    return plain_json(provenance.document())


async def attribute_lineage(incoming: Incoming) -> Response:
    """`GET /lineage/{entityId}/attrs/{attrId}`: the instances asked for; else the newest."""
    entity_id = incoming.identifier()
    ld_context = await incoming.ld_context()
    name = attribute_name(incoming, ld_context)
    params = incoming.params
    observed_at, instance_id = params.text("observedAt"), params.text("instanceId")
    last_n = min(params.integer("lastN", 1) or 1, _MOST)
    if observed_at is None and instance_id is None:
        temporal = TemporalQuery(last_n=last_n)
    elif observed_at is None:
        temporal = TemporalQuery()
    else:
        at = parse_datetime(observed_at, "parameter observedAt")
        temporal = TemporalQuery(timerel="between", time_at=at, end_time_at=at + 1)
    provenance = _Provenance(entity_id, ld_context)
    found = await _add(incoming, provenance, name, temporal, dataset_of(incoming), instance_id)
    if not found:
        raise ResourceNotFound(f"an instance of attribute {name} as asked for does not exist on {entity_id}")
    return plain_json(provenance.document())


async def _add(
    incoming: Incoming,
    provenance: _Provenance,
    name: str,
    temporal: TemporalQuery,
    dataset_id: str | None,
    instance_id: str | None = None,
) -> bool:
    origins: Iterable[Origin] = await incoming.services.broker.origins(
        incoming.call, incoming.path["entityId"], name, temporal, dataset_id
    )
    found = False
    for origin in origins:
        if instance_id is None or origin.instance.attribute.instance_id == instance_id:
            provenance.add(origin)
            found = True
    return found


_PROV: Schema = {
    "type": "object",
    "required": ["prefix", "entity"],
    "properties": {
        name: {"type": "object"}
        for name in (
            "prefix",
            "entity",
            "activity",
            "agent",
            "wasGeneratedBy",
            "used",
            "wasDerivedFrom",
            "wasAssociatedWith",
            "specializationOf",
        )
    },
}

OPERATIONS = [
    Operation(
        name="entityLineage",
        method="GET",
        path="/lineage/{entityId}",
        handler=entity_lineage,
        summary="What made the present values of an entity, as W3C PROV-JSON",
        response=_PROV,
    ),
    Operation(
        name="attributeLineage",
        method="GET",
        path="/lineage/{entityId}/attrs/{attrId}",
        handler=attribute_lineage,
        summary="What made instances of one attribute, as W3C PROV-JSON",
        params=frozenset({"observedAt", "datasetId", "instanceId", "lastN"}),
        response=_PROV,
    ),
]
