"""A lamp, a river and bins under opening rules; cases are documents, opened in the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.rules.opening import Opening
from cityloom.store.ports import Store, Transaction

OPENED = "OpenedCase"
CAUSE = Cause(kind="system", id="test")

RULES: dict[str, Any] = {
    "decisionTable": "live",
    "kind": "opening",
    "version": "1",
    "hitPolicy": "COLLECT",
    "inputs": [{"name": "entityType"}, {"name": "attribute"}, {"name": "value", "type": "any"}],
    "outputs": [
        {"name": "caseType"},
        {"name": "for", "type": "duration"},
        {"name": "silence", "type": "duration"},
        {"name": "during"},
        {"name": "overWhen"},
        {"name": "description"},
    ],
    "rows": [
        {
            "id": "dark",
            "when": {"entityType": "Streetlight", "attribute": "powerState", "value": "off"},
            "then": {"caseType": "street-light", "for": "PT30M", "during": "night"},
        },
        {
            "id": "river",
            "when": {"entityType": "River", "attribute": "level", "value": ">= 4.5"},
            "then": {"caseType": "flooded-road", "overWhen": "< 4"},
        },
        {
            "id": "silent",
            "when": {"entityType": "River", "attribute": "level"},
            "then": {"caseType": "other-emergency", "silence": "PT2H"},
        },
        {
            "id": "bin",
            "when": {"entityType": "Bin", "attribute": "fill", "value": "> 0.9"},
            "then": {"caseType": "litter-bin", "for": "PT30M", "during": "22:00-06:00"},
        },
    ],
}


class Opener:
    """Opens cases as documents; `calls` is how often it was asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def open_case(self, tx: Transaction, opening: Opening) -> str:
        self.calls += 1
        if tx.document(opening.tenant, OPENED, opening.fault) is None:
            tx.put_document(opening.tenant, OPENED, opening.fault, opening, CAUSE)
        return opening.fault

    def opened(self) -> None:
        return


def iri(name: str) -> str:
    return DEFAULT_VOCAB + name


def thing(kind: str, number: int, name: str, value: Any, **more: Any) -> Entity:
    here = {"type": "Point", "coordinates": [121.47, 31.23]}
    return Entity(
        id=f"urn:ngsi-ld:{kind}:{number}",
        types=[iri(kind)],
        attributes={
            iri(name): [Attribute(kind="Property", value=value, **more)],
            LOCATION: [Attribute(kind="GeoProperty", value=here)],
        },
    )


def opened(store: Store) -> list[Opening]:
    """The cases, in the order in which they were opened."""

    def found() -> Iterator[Opening]:
        with store.snapshot() as reads:
            for event in reads.events(0, 1_000_000):
                if event.document_kind == OPENED:
                    document = reads.document(event.tenant, OPENED, event.entity_id)
                    assert document is not None
                    yield msgspec.convert(document.body, Opening)

    return list(found())
