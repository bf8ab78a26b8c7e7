"""Photos go: with the personal data of who reported, with a draft that nobody reported, or left over.

A work takes what is told of a photo away and notes that its file is to go, in the transaction of the erasure.
The file goes in a work of its own, which looks whether a case names it: after a process died it is gone, or
still to go.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import structlog

from cityloom.broker.ports import Call
from cityloom.cases.keep.evidence import Evidence
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.kept import CASE, EVIDENCE
from cityloom.cases.keep.parties import ANONYMOUS
from cityloom.consumers.failures import Failures
from cityloom.consumers.lease import LeaseLost
from cityloom.consumers.waiting import within
from cityloom.model.clock import Clock
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

_log = structlog.get_logger("cases")
_USE: Final = "caseEvidenceUse"
"""Documents of this kind say which case names a photo, by photo, tenant and case."""
_TO_GO: Final = "caseEvidenceToGo"
"""Documents of this kind are photos whose files are to go unless a case names them."""
_AGE: Final = 3_600_000_000
"""Microseconds after which a file that no case names is left over: an upload takes less."""
_EVERY: Final = 3600.0
"""Seconds between two looks for such files."""
_PAGE: Final = 200


def use_photo(tx: Transaction, tenant: str, case_id: str, photo_id: str) -> None:
    """Notes that a case names a photo."""
    tx.set_state("", _USE, _use(photo_id, tenant, case_id), {"tenant": tenant, "case": case_id})


def erase_reporters_photos(tx: Transaction, call: Call, entity_id: str) -> bool:
    """Takes the photos of a case away that came from who reported it; whether there were any.

    It is to be one work with the erasure of the personal data. What departments and collectors added stays.
    """
    entity = tx.get(call.tenant, entity_id)
    if entity is None or CASE not in entity.types:
        return False
    own = [
        photo for photo in photos_of(tx, call.tenant, entity_id) if photo.reporter or photo.by == ANONYMOUS
    ]
    erase_photos(tx, call, entity_id, own)
    return bool(own)


def erase_photos(tx: Transaction, call: Call, case_id: str, photos: list[Evidence]) -> None:
    """Takes photos of a case away, each an event of the log with who erased it; their files go after it."""
    for photo in photos:
        tx.delete_document(call.tenant, EVIDENCE, f"{case_id}:evidence:{photo.id}", call.cause)
        tx.drop_state("", _USE, _use(photo.id, call.tenant, case_id))
        tx.set_state("", _TO_GO, photo.id, {"mediaType": photo.media_type})


def photos_of(reads: DocumentReads, tenant: str, case_id: str) -> list[Evidence]:
    """The photos of a case."""
    prefix = f"{case_id}:evidence:"
    page = reads.documents(tenant, EVIDENCE, prefix, _PAGE)
    return [msgspec.convert(one.body, Evidence) for one in page if one.id.startswith(prefix)]


class Erasing:
    """Takes files away that are to go, or were left over.

    Args:
        store: for what one process alone does, behind its fence.
    """

    def __init__(self, store: Store, files: EvidenceFiles, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self.wake = asyncio.Event()
        """Is set when something was erased."""

    async def run(self) -> None:
        """Does what is to do, and looks for what is left over, until it is cancelled."""
        failures = Failures("photos not erased")
        while True:
            self.wake.clear()
            wait = _EVERY
            try:
                await self.sweep()
                failures.well()
            except LeaseLost:
                raise
            except Exception as error:
                wait = failures.failed(error)
            await within(wait, self.wake)

    async def sweep(self) -> None:
        """Does it once. Cost: one look into the folder; a work for each file that goes."""
        to_go = await asyncio.wrap_future(self._store.read(_to_go))
        for photo, media_type in to_go:
            await asyncio.wrap_future(self._store.submit(_Going(self._files, photo, media_type)))
        left = await asyncio.to_thread(self._files.older_than, self._clock.now() - _AGE)
        for photo, media_type in left:
            if not await asyncio.wrap_future(self._store.read(_Named(photo))):
                await asyncio.wrap_future(self._store.submit(_Going(self._files, photo, media_type)))


class _Named:
    """Whether a case names a photo."""

    def __init__(self, photo: str) -> None:
        self._photo = photo

    def __call__(self, reads: DocumentReads) -> bool:
        prefix = after = self._photo + ":"
        while page := reads.documents("", _USE, after, _PAGE):
            for one in page:
                if not one.id.startswith(prefix):
                    return False
                tenant, case_id = one.body["tenant"], one.body["case"]
                # What stands in a tenant goes with it, without being told here.
                if reads.document(tenant, EVIDENCE, f"{case_id}:evidence:{self._photo}") is not None:
                    return True
            after = page[-1].id
        return False


class _Going:
    """Takes a file away unless a case names it.

    In the work, so that no case comes to name it between the look and the end of the file: who adds a photo
    looks in its work whether the file is there. A process whose lease was lost does not get here.
    """

    def __init__(self, files: EvidenceFiles, photo: str, media_type: str) -> None:
        self._files = files
        self._photo, self._media_type = photo, media_type

    def __call__(self, tx: Transaction) -> None:
        if not _Named(self._photo)(tx) and self._files.remove(self._photo, self._media_type):
            _log.info("photo erased", photo=self._photo[:16])
        if tx.document("", _TO_GO, self._photo) is not None:
            tx.drop_state("", _TO_GO, self._photo)


def _to_go(reads: Snapshot) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    after = ""
    while page := reads.documents("", _TO_GO, after):
        found += [(one.id, one.body["mediaType"]) for one in page]
        after = page[-1].id
    return found


def _use(photo_id: str, tenant: str, case_id: str) -> str:
    return f"{photo_id}:{tenant}:{case_id}"
