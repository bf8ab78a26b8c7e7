"""The numbered steps from an empty database to the schema of today, a folder per kind of store.

A step that has been released is never changed; a new one is added after it.
This room knows no database: how a step is applied is each store's own matter.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from msgspec import Struct


class Migration(Struct, frozen=True):
    """One step; its `number` is the schema version that it leads to."""

    number: int
    name: str
    sql: str


def migrations(store: Literal["postgres", "sqlite"]) -> list[Migration]:
    """The steps of a kind of store, in order, numbered from 1 without a gap."""
    steps = []
    for file in files(__name__).joinpath(store).iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql"):
            steps.append(Migration(int(number), name, file.read_text("utf-8")))
    steps.sort(key=lambda step: step.number)
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise AssertionError(f"the migrations of {store} are not numbered without a gap")
    return steps
