"""Executing the queries of a snapshot one after the other, and what they come to.

Source: ETSI GS CIM 009 clauses 5.2.42, 5.16.1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cityloom.model.errors import CityloomError
from cityloom.snapshots.filling import Asked, Filling
from cityloom.snapshots.snapshot import Details, Snapshot, overall

Problem = Callable[[CityloomError], dict[str, Any]]


async def executed(
    filling: Filling, snapshot: Snapshot, asked: Sequence[Asked], problem: Problem
) -> dict[str, Any]:
    """The members that change when all queries were executed: one that fails costs its own part.

    Args:
        asked: the queries of the snapshot, then its temporal ones, in their order.
        problem: writes an error as a problem document.
    """
    details = [await _executed(filling, one, problem) for one in asked]
    number = len(snapshot.snapshot_queries or ())
    return {
        "snapshot_status": overall(details),
        "snapshot_queries_details": details[:number] or None,
        "snapshot_temporal_queries_details": details[number:] or None,
    }


async def _executed(filling: Filling, asked: Asked, problem: Problem) -> Details:
    try:
        found = await filling.run(asked)
    except CityloomError as error:
        return Details("failure", problem(error))
    warnings = asked.call.forwarding.warnings if asked.call.forwarding is not None else []
    told = {
        "type": "about:blank",
        "title": "Some sources did not tell all",
        "detail": "; ".join(warnings),
    }
    return Details("success" if found else "empty", told if warnings else None)
