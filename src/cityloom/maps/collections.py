"""Collections: each entity type of a tenant is one, with or without places.

Source: OGC 17-069r4 clauses 7.13, 7.14; OGC 18-058r1 clause 6.2.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from cityloom.ld.context import LdContext
from cityloom.model.errors import NonexistentTenant, ResourceNotFound
from cityloom.store.entity_ports import EntityReads, LayerSummary

_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+")


class Collection(Struct, frozen=True, kw_only=True):
    """One collection; `box` is west, south, east, north in CRS84 degrees."""

    id: str
    type: str
    title: str
    count: int
    geometries: dict[str, int]
    box: tuple[float, float, float, float] | None

    @property
    def located(self) -> int:
        """How many of its features have a geometry."""
        return sum(self.geometries.values())


def read_collections(reads: EntityReads, tenant: str, ld_context: LdContext) -> list[Collection]:
    """Every collection, by type. Raises NonexistentTenant."""
    require_tenant(reads, tenant)
    return [_collection(layer, ld_context) for layer in reads.layers(tenant)]


def find_collection(reads: EntityReads, tenant: str, ld_context: LdContext, collection_id: str) -> Collection:
    """The collection with this id.

    Raises:
        NonexistentTenant, ResourceNotFound: there is none.
    """
    for collection in read_collections(reads, tenant, ld_context):
        if collection.id == collection_id or collection.type == collection_id:
            return collection
    raise ResourceNotFound(f"collection {collection_id[:200]!r} does not exist")


def require_tenant(reads: EntityReads, tenant: str) -> None:
    """Returns when the tenant exists. Raises NonexistentTenant."""
    if tenant and tenant not in reads.tenants():
        raise NonexistentTenant(f"tenant {tenant!r} does not exist")


def _collection(layer: LayerSummary, ld_context: LdContext) -> Collection:
    name = ld_context.compact_iri(layer.type)
    return Collection(
        id=name,
        type=layer.type,
        title=title_of(name),
        count=layer.count,
        geometries=layer.geometries,
        box=layer.bbox,
    )


def title_of(name: str) -> str:
    """A name in words: `AirQualityObserved` is "Air quality observed"."""
    last = re.split(r"[/#]", name)[-1] or name
    words = [word for word in _WORDS.split(last) if word]
    plain = [word if word.isupper() and len(word) > 1 else word.lower() for word in words]
    text = " ".join(plain)
    return text[:1].upper() + text[1:]
