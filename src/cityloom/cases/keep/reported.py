"""When cases were reported: who they are by that time, the newest first.

A number does not tell it: that of a case from another system is whatever is its number there. The time
of a report never changes, so what is noted here once holds for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cityloom.cases.keep.kept import KeptCase
from cityloom.store.ports import DocumentReads, Transaction

_REPORTED: Final = "caseReported"
"""Documents of this kind say that a case was reported, by how long before the last of times, and its id."""
_LAST: Final = 10**18
_PAGE: Final = 200


def note_report(tx: Transaction, tenant: str, kept: KeptCase) -> None:
    """Notes a case that was just reported."""
    tx.set_state(tenant, _REPORTED, f"{_before_last(kept.reported_at)}:{kept.case.id}", None)


def reported(reads: DocumentReads, tenant: str, since: int, until: int) -> Iterator[list[str]]:
    """The ids of the cases that were reported in a span, the newest first, those of one moment by id.

    Args:
        since, until: µs, both included; 0 is no bound.

    Returns:
        Some at a time. Cost: what is read of them.
    """
    after, end = _before_last(until or _LAST), _before_last(since or -_LAST)
    while page := reads.documents(tenant, _REPORTED, after, _PAGE):
        found = [document.id.partition(":") for document in page]
        ids = [id for time, _, id in found if time <= end]
        yield ids
        if len(ids) < _PAGE:
            return
        after = page[-1].id


def _before_last(at: int) -> str:
    return f"{_LAST - at:019d}"
