"""How long an entity of about 1 kB takes from document to entity and back, in each form.

Run with: .venv/bin/python bench/ld_forms.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import msgspec
from pyld import jsonld

from cityloom.ld.compact import Form, Representation, compact_entity
from cityloom.ld.context import compile_context
from cityloom.ld.core_terms import CORE_URL, CORE_URLS, core_context
from cityloom.ld.expand import expand_entity

NOON = "2026-05-01T12:00:00Z"
CONTEXT = {
    name: f"https://smartdatamodels.org/dataModel.Environment/{name}"
    for name in ("AirQualityObserved", "name", "pm25", "pm10", "no2", "temperature", "address", "accuracy")
}
DOCUMENT: dict[str, Any] = {
    "id": "urn:ngsi-ld:AirQualityObserved:boston:0042",
    "type": "AirQualityObserved",
    "name": {"type": "Property", "value": "Nubian Square"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-71.0838, 42.3295]}},
    "address": {"type": "Property", "value": {"streetAddress": "Dudley Street 24", "addressCountry": "US"}},
    "pm25": {"type": "Property", "value": 7.4, "unitCode": "GQ", "observedAt": NOON},
    "pm10": {"type": "Property", "value": 14.1, "unitCode": "GQ", "observedAt": NOON},
    "no2": {
        "type": "Property",
        "value": 21.0,
        "unitCode": "GQ",
        "observedAt": NOON,
        "accuracy": {"type": "Property", "value": 0.9},
    },
    "temperature": {"type": "Property", "value": 18.5, "unitCode": "CEL", "observedAt": NOON},
    "refDistrict": {"type": "Relationship", "object": "urn:ngsi-ld:District:boston:12"},
    "status": {"type": "VocabProperty", "vocab": "ok"},
}


def best(work: Callable[[], object], runs: int) -> float:
    """The shortest of seven means, in microseconds: what the work takes when nothing disturbs it."""
    means = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(runs):
            work()
        means.append((time.perf_counter() - start) / runs)
    return min(means) * 1e6


def load_core(url: str, _: object) -> dict[str, Any]:
    """Answers pyld with the core context."""
    document = {"@context": core_context(CORE_URLS[url])}
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": document,
    }


def main() -> None:
    """Prints a line for each step."""
    ld_context = compile_context(CONTEXT, lambda url: None)
    entity = expand_entity(DOCUMENT, ld_context)
    print(f"document: {len(msgspec.json.encode(DOCUMENT))} bytes")
    print(f"compile the context: {best(lambda: compile_context(CONTEXT, lambda url: None), 50):.0f} µs")
    print(f"expand: {best(lambda: expand_entity(DOCUMENT, ld_context), 2000):.1f} µs")
    for representation in get_args(Representation):
        write = partial(compact_entity, entity, ld_context, Form(representation=representation))
        print(f"compact {representation}: {best(write, 5000):.1f} µs")
    whole = {**DOCUMENT, "@context": [CONTEXT, CORE_URL]}
    options = {"documentLoader": load_core}
    expanded = jsonld.expand(whole, options)
    print(f"pyld expand: {best(lambda: jsonld.expand(whole, options), 20):.0f} µs")
    print(f"pyld compact: {best(lambda: jsonld.compact(expanded, whole['@context'], options), 20):.0f} µs")


if __name__ == "__main__":
    main()
