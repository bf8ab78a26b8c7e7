"""JSON Schemas of entity types, registered at run time: data that breaks one is refused.

A schema describes the *simplified* form of an entity: `id`, `type` and each
attribute's plain value by its compact name (an attribute with several
instances is an array). Which name stands for which attribute is told by the
schema's own `@context`, an object term -> IRI; other names are those of the
default vocabulary, or IRIs.

A schema is kept whole as a document of kind `schema`, by the type's IRI.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cityloom.broker.door import Door
from cityloom.broker.ports import Call
from cityloom.model.entity import Entity
from cityloom.model.errors import ResourceNotFound
from cityloom.model.events import Document
from cityloom.store.ports import DocumentReads, Snapshot, Transaction

if TYPE_CHECKING:
    from cityloom.broker.type_schema import TypeSchema

SCHEMA: Final = "schema"
_MOST_COMPILED: Final = 1024
_WHOLE_BOUND: Final = 10_000
"""Schemas that a tenant may have in one list."""


class SchemaRules:
    """Compiled schemas, kept by the version of their document."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, str, int], TypeSchema] = OrderedDict()

    def checker(self, reads: DocumentReads, tenant: str) -> Callable[[Entity], None]:
        """What refuses an entity by the schemas of its types, as they are in this snapshot."""
        find = self.finder(reads, tenant)

        def check(entity: Entity) -> None:
            for type in entity.types:
                schema = find(type)
                if schema is not None:
                    schema.check(entity)

        return check

    def finder(self, reads: DocumentReads, tenant: str) -> Callable[[str], TypeSchema | None]:
        """Finds the schema of a type; asks the store once for each type."""
        known: dict[str, TypeSchema | None] = {}

        def find(type: str) -> TypeSchema | None:
            if type not in known:
                document = reads.document(tenant, SCHEMA, type)
                known[type] = None if document is None else self._compile(tenant, document)
            return known[type]

        return find

    def _compile(self, tenant: str, document: Document) -> TypeSchema:
        key = (tenant, document.id, document.modified)
        schema = self._compiled.get(key)
        if schema is None:
            from cityloom.broker.type_schema import compile_schema

            schema = self._compiled[key] = compile_schema(document.id, document.body)
            if len(self._compiled) > _MOST_COMPILED:
                self._compiled.popitem(last=False)
        return schema


class Schemas(Door):
    """The registered schemas of a tenant."""

    async def list(self, call: Call) -> list[str]:
        """The types (IRIs) that have a schema."""
        self._may(call, "read", "schemas")
        found = await self._read(
            call, lambda snapshot: snapshot.documents(call.tenant, SCHEMA, limit=_WHOLE_BOUND)
        )
        return [document.id for document in found]

    async def retrieve(self, call: Call, type: str) -> dict[str, Any]:
        """The schema of a type (IRI). Raises ResourceNotFound."""
        self._may(call, "read", "schemas")

        def find(snapshot: Snapshot) -> Document | None:
            return snapshot.document(call.tenant, SCHEMA, type)

        document = await self._read(call, find)
        if document is None:
            raise ResourceNotFound(f"schema of type {type} does not exist")
        body: dict[str, Any] = document.body
        return body

    async def put(self, call: Call, type: str, schema: dict[str, Any]) -> bool:
        """Registers the schema of a type (IRI); True when it had none.

        Entities that are already there are not looked at until they are written.

        Raises:
            BadRequestData: it is no JSON Schema, or refers to another document.
        """
        from cityloom.broker.type_schema import compile_schema

        self._may(call, "admin", "schemas")
        compile_schema(type, schema)

        def work(tx: Transaction) -> bool:
            new = tx.document(call.tenant, SCHEMA, type) is None
            tx.put_document(call.tenant, SCHEMA, type, schema, call.cause)
            return new

        return await self._write(call, work, creates=True)

    async def delete(self, call: Call, type: str) -> None:
        """Forgets the schema of a type (IRI). Raises ResourceNotFound."""
        self._may(call, "admin", "schemas")

        def work(tx: Transaction) -> None:
            if tx.document(call.tenant, SCHEMA, type) is None:
                raise ResourceNotFound(f"schema of type {type} does not exist")
            tx.delete_document(call.tenant, SCHEMA, type, call.cause)

        await self._write(call, work)
