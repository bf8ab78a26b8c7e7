"""Tables that the tests of this room draw from."""

from __future__ import annotations

from typing import Any

from cityloom.rules.kept import read_table
from cityloom.rules.table import DecisionTable

ROUTING: dict[str, Any] = {
    "decisionTable": "who-comes",
    "kind": "routing",
    "version": "1",
    "title": {"en": "Who comes", "zh": "谁来处理"},
    "hitPolicy": "FIRST",
    "inputs": [
        {"name": "type", "title": {"zh": "类型"}},
        {"name": "area", "optional": True},
    ],
    "outputs": [{"name": "department"}],
    "rows": [
        {
            "id": "lamps-north",
            "when": {"type": "street-light", "area": "north"},
            "then": {"department": "lamps-n"},
        },
        {"id": "lamps", "when": {"type": "street-light"}, "then": {"department": "lamps"}},
        {"id": "covers", "when": {"type": '"water-cover", "sewage-cover"'}, "then": {"department": "water"}},
        {"id": "else", "then": {"department": "streets"}, "note": "whoever is near"},
    ],
}


def routing(**changes: Any) -> dict[str, Any]:
    """The routing table with other members."""
    return {**ROUTING, **changes}


def table(**members: Any) -> DecisionTable:
    """A table of one grade and one number, made ready."""
    return read_table(
        {
            "decisionTable": "t",
            "kind": "routing",
            "version": "1",
            "inputs": [
                {"name": "grade", "values": "A, B", "optional": True},
                {"name": "size", "type": "number", "values": "[0..4]"},
            ],
            "outputs": [{"name": "department"}],
            **members,
        }
    )
