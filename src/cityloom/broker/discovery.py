"""What there is: types and attributes in use, and where values came from.

Source: ETSI GS CIM 009 clauses 5.7.5 to 5.7.10; lineage is the city's own.
"""

from __future__ import annotations

from msgspec.structs import replace

from cityloom.broker.door import Door
from cityloom.broker.instances import brief
from cityloom.broker.ports import Call
from cityloom.broker.windows import window_of
from cityloom.model.errors import ResourceNotFound
from cityloom.query.values import TemporalQuery
from cityloom.store.entity_ports import AttributeUse, TypeCount
from cityloom.store.history_ports import Origin, Window
from cityloom.store.ports import Snapshot


class Discovery(Door):
    """Types, attributes, origins."""

    async def entity_types(self, call: Call) -> list[TypeCount]:
        """5.7.5: the types that there are entities of."""
        self._may(call, "read", "types")
        return await self._read(call, lambda snapshot: snapshot.type_counts(call.tenant))

    async def attribute_uses(self, call: Call, type: str | None = None) -> list[AttributeUse]:
        """5.7.6 to 5.7.10: the attributes that entities have, by type (of one type when given)."""
        self._may(call, "read", "types" if type is None else type)
        return await self._read(call, lambda snapshot: snapshot.attribute_uses(call.tenant, type))

    async def origins(
        self, call: Call, entity_id: str, name: str, temporal: TemporalQuery, dataset_id: str | None = None
    ) -> list[Origin]:
        """Where the values of an attribute came from, latest first.

        Args:
            temporal: which instances; `last_n` bounds the answer, and the node does in any case.
            dataset_id: of one dataset ("" is the default one); None is all.

        Raises:
            ResourceNotFound: history does not know the entity, or no such attribute of it.
        """
        self._may(call, "read", entity_id)
        most = self._limits.instances_max
        last_n = most if temporal.last_n is None else min(temporal.last_n, most)
        window = window_of(temporal, [name])

        def work(snapshot: Snapshot) -> list[Origin]:
            if snapshot.history_entity(call.tenant, entity_id) is None:
                raise ResourceNotFound(f"temporal evolution of entity {entity_id} does not exist")
            asked = replace(window, last_n=last_n, dataset_ids=None if dataset_id is None else [dataset_id])
            found = snapshot.origins(call.tenant, entity_id, asked)
            if not found and not snapshot.instances(call.tenant, entity_id, Window(names=[name], last_n=1)):
                raise ResourceNotFound(f"attribute {brief(name)} of entity {entity_id} does not exist")
            return found

        return await self._read(call, work)
