"""The tables of a city as documents of the store: written, checked, adopted; and the book in force.

Every change is an event of the log, so what decides follows from the order of the log.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final, Protocol

import msgspec

from cityloom.broker.door import Door
from cityloom.broker.ports import Access, Call
from cityloom.model.clock import Clock
from cityloom.model.errors import AlreadyExists, BadRequestData, Conflict, ResourceNotFound
from cityloom.model.time import format_datetime
from cityloom.rules.book import Rulebook, Version, adopt, day_of, holds_until, version_id
from cityloom.rules.checks import Finding, check_entries
from cityloom.rules.kinds import KINDS, check_table
from cityloom.rules.table import Decision, DecisionTable, Kind, TableFile, compile_table
from cityloom.store.ports import DocumentReads, Snapshot, Store, Transaction

RULE: Final = "Rule"
"""The kind of the documents."""
_STAMP: Final = "RuleStamp"
_BOOK: Final = "book"
_RESOURCE: Final = "rules"


class CityChecks(Protocol):
    """What the city knows that a table must fit: its codes, its clocks, its order of limits."""

    def check(self, table: DecisionTable) -> list[Finding]:
        """All that can be said of a table by what the city knows."""
        ...


class NoChecks:
    """A city that knows nothing."""

    def check(self, table: DecisionTable) -> list[Finding]:
        """Nothing."""
        return []


class Rules(Door):
    """Write, check, read and adopt versions of decision tables; ask what they decide.

    Args:
        zone: the city's time zone, in which days begin.
        base: the tables that the city's files bring.
        checks: what the city knows.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        *,
        zone: tzinfo,
        base: Sequence[DecisionTable] = (),
        checks: CityChecks | None = None,
    ) -> None:
        super().__init__(store, access, clock)
        self.zone = zone
        self._base = list(base)
        self._checks = checks or NoChecks()
        self._books: dict[str, tuple[str, Rulebook]] = {}

    @property
    def base(self) -> Sequence[DecisionTable]:
        """The tables that the city's files bring."""
        return self._base

    def book(self, reads: DocumentReads, tenant: str) -> Rulebook:
        """The rules as they are in this snapshot or transaction.

        Cost: one small read, unless a rule was adopted since the last time.
        """
        stamp = reads.document(tenant, _STAMP, _BOOK)
        name = "" if stamp is None else str(stamp.body["stamp"])
        kept = self._books.get(tenant)
        if kept is None or kept[0] != name:
            kept = self._books[tenant] = (name, Rulebook(_versions(reads, tenant), self._base))
        return kept[1]

    async def list(self, call: Call) -> Sequence[dict[str, Any]]:
        """Every version of every table, and those of the city's files, without their rows."""
        self._may(call, "read", _RESOURCE)
        versions = await self._read(call, lambda reads: _versions(reads, call.tenant))
        told = [_summary(versions, one) for one in versions]
        return [*(self._summary_of_base(one) for one in self._base), *told]

    async def retrieve(self, call: Call, table: str, version: str) -> dict[str, Any]:
        """One version, whole. Raises ResourceNotFound."""
        self._may(call, "read", _RESOURCE)
        based = self._of_base(table, version)
        if based is not None:
            return {**self._summary_of_base(based), "table": msgspec.to_builtins(based.told)}

        def work(reads: Snapshot) -> dict[str, Any]:
            one = _require(reads, call.tenant, table, version)
            versions = _versions(reads, call.tenant)
            return {**_summary(versions, one), "table": msgspec.to_builtins(one.table)}

        return await self._read(call, work)

    async def create(self, call: Call, document: dict[str, Any]) -> str:
        """Keeps a new version as a draft; its id. The same again changes nothing.

        Raises:
            BadRequestData: it is no table; names the place.
            AlreadyExists: the version exists with other content.
        """
        self._may(call, "write", _RESOURCE)
        table = read_table(document)
        self._refuse_base(table)
        id = version_id(table.id, table.version)

        def work(tx: Transaction) -> None:
            was = _find(tx, call.tenant, table.id, table.version)
            if was is not None and compile_table(was.table).digest != table.digest:
                raise AlreadyExists(
                    f"version {table.version} of {table.id} already exists with other content"
                )
            if was is None:
                self._put(tx, call, Version(table=table.told, written_by=call.party, written_at=tx.now))

        await self._write(call, work, size=len(msgspec.json.encode(table.told)), creates=True)
        return id

    async def replace(self, call: Call, table: str, version: str, document: dict[str, Any]) -> None:
        """Edits a draft.

        Raises:
            BadRequestData: it is no table, or is another one.
            ResourceNotFound, Conflict: it is adopted.
        """
        self._may(call, "write", _RESOURCE)
        read = read_table(document)
        if (read.id, read.version) != (table, version):
            raise BadRequestData(
                f"decisionTable is invalid: {read.id} {read.version} is not {table} {version}"
            )

        def work(tx: Transaction) -> None:
            was = _require(tx, call.tenant, table, version)
            if was.state == "adopted":
                raise Conflict(
                    f"{table} {version} is adopted, from {was.adopted_from}: it does not change any more"
                )
            self._put(tx, call, Version(table=read.told, written_by=call.party, written_at=tx.now))

        await self._write(call, work, size=len(msgspec.json.encode(read.told)))

    async def delete(self, call: Call, table: str, version: str) -> None:
        """Takes a draft away. Raises ResourceNotFound, Conflict: it is adopted."""
        self._may(call, "write", _RESOURCE)

        def work(tx: Transaction) -> None:
            was = _require(tx, call.tenant, table, version)
            if was.state == "adopted":
                raise Conflict(f"{table} {version} is adopted, from {was.adopted_from}: it stays")
            tx.delete_document(call.tenant, RULE, was.id, call.cause)

        await self._write(call, work)

    async def check(self, call: Call, document: dict[str, Any]) -> builtins.list[Finding]:
        """What is wrong with a table, and what is to be known of it.

        Entries that cannot be read are findings, too: all of them, and nothing else is looked at then.

        Raises:
            BadRequestData: it is no table.
        """
        self._may(call, "read", _RESOURCE)
        told = _read(document)

        def work() -> builtins.list[Finding]:
            return check_entries(told) or self.findings(compile_table(told))

        return await asyncio.to_thread(work)

    def findings(self, table: DecisionTable) -> builtins.list[Finding]:
        """As `check`, of a table made ready."""
        return [*check_table(table), *self._checks.check(table)]

    async def adopt(
        self, call: Call, table: str, version: str, *, since: str, until: str = ""
    ) -> dict[str, Any]:
        """Lets a draft decide from a day on: for who may administer.

        Args:
            since, until: days in the city; "" takes what the table says, and for `until` open.

        Raises:
            BadRequestData: the table is not whole, or a day is none.
            Conflict: it is adopted already, its days overlap or are past.
            ResourceNotFound.
        """
        self._may(call, "admin", _RESOURCE)
        checked = await self.table(call, table, version)
        # Not in the work: a tangled table takes its time, and others wait to write.
        found = await asyncio.to_thread(self.findings, checked)
        wrong = [str(one) for one in found if one.level == "error"]
        if wrong:
            raise BadRequestData(f"{table} {version} is invalid: " + "; ".join(wrong))

        def work(tx: Transaction) -> dict[str, Any]:
            draft = _require(tx, call.tenant, table, version)
            if compile_table(draft.table).digest != checked.digest:
                raise Conflict(f"{table} {version} was edited meanwhile; look at it again")
            told = draft.table.effective
            versions = _versions(tx, call.tenant)
            adopted = adopt(
                versions,
                draft,
                since=since or told.from_,
                until=until or told.until,
                today=day_of(tx.now, self.zone),
                by=call.party,
                at=tx.now,
            )
            self._put(tx, call, adopted)
            tx.set_state(call.tenant, _STAMP, _BOOK, {"stamp": f"{tx.now}:{call.cause.id}"})
            return _summary([*versions, adopted], adopted)

        return await self._write(call, work)

    async def decide(
        self,
        call: Call,
        kind: str,
        given: dict[str, Any],
        *,
        day: str = "",
        draft: tuple[str, str] | None = None,
        document: dict[str, Any] | None = None,
    ) -> Decision:
        """What is decided on a day (today), by a version (a draft, too) or by a table, and why.

        Args:
            document: a table as it is written down, which is not kept; goes before `draft` and `day`.

        Raises:
            BadRequestData: the kind does not exist, a value is missing or wrong, or `document` is no table.
            ResourceNotFound: no table of the kind is in force, or the draft does not exist.
        """
        self._may(call, "read", _RESOURCE)
        if not any(kind == name and one.alone for name, one in KINDS.items()):
            known = ", ".join(name for name, one in KINDS.items() if one.alone)
            raise BadRequestData(f"kind is invalid: {kind!r} is none of {known}")
        on = day or day_of(self._clock.now(), self.zone)

        if document is not None:
            return read_table(document).decide(given)

        def find(reads: Snapshot) -> DecisionTable | None:
            if draft is not None:
                return self.version(reads, call.tenant, *draft)
            return self.book(reads, call.tenant).in_force(_kind(kind), on)

        table = await self._read(call, find)
        if table is None:
            raise ResourceNotFound(f"a table of kind {kind} is not in force on {on}")
        return table.decide(given)

    async def table(self, call: Call, table: str, version: str) -> DecisionTable:
        """A version made ready. Raises ResourceNotFound."""
        self._may(call, "read", _RESOURCE)
        return await self._read(call, lambda reads: self.version(reads, call.tenant, table, version))

    def version(self, reads: DocumentReads, tenant: str, table: str, version: str) -> DecisionTable:
        """As `table`, in a snapshot or transaction."""
        based = self._of_base(table, version)
        return compile_table(_require(reads, tenant, table, version).table) if based is None else based

    # -- within ------------------------------------------------------------

    def _put(self, tx: Transaction, call: Call, version: Version) -> None:
        tx.put_document(call.tenant, RULE, version.id, version, call.cause)

    def _of_base(self, table: str, version: str) -> DecisionTable | None:
        return next((one for one in self._base if (one.id, one.version) == (table, version)), None)

    def _refuse_base(self, table: DecisionTable) -> None:
        based = self._of_base(table.id, table.version)
        if based is not None and based.digest != table.digest:
            raise AlreadyExists(
                f"version {table.version} of {table.id} already exists, with other content, in the files"
            )

    def _summary_of_base(self, table: DecisionTable) -> dict[str, Any]:
        return {
            "decisionTable": table.id,
            "version": table.version,
            "kind": table.kind,
            "title": table.told.title,
            "rows": len(table.rows),
            "state": "file",
        }


def read_table(document: dict[str, Any]) -> DecisionTable:
    """A table from plain JSON values. Raises BadRequestData: it is none; names the place."""
    return compile_table(_read(document))


def _read(document: dict[str, Any]) -> TableFile:
    try:
        return msgspec.convert(document, TableFile)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise BadRequestData(f"{path.rstrip('`').lstrip('.') or 'the table'} is invalid: {problem}") from None


def _kind(text: str) -> Kind:
    return next(kind for kind in KINDS if kind == text)


def _versions(reads: DocumentReads, tenant: str) -> list[Version]:
    found: list[Version] = []
    after = ""
    while page := reads.documents(tenant, RULE, after):
        found += [msgspec.convert(document.body, Version) for document in page]
        after = page[-1].id
    return found


def _find(reads: DocumentReads, tenant: str, table: str, version: str) -> Version | None:
    document = reads.document(tenant, RULE, version_id(table, version))
    return None if document is None else msgspec.convert(document.body, Version)


def _require(reads: DocumentReads, tenant: str, table: str, version: str) -> Version:
    found = _find(reads, tenant, table, version)
    if found is None:
        raise ResourceNotFound(f"version {version} of the decision table {table} does not exist")
    return found


def _summary(versions: Sequence[Version], one: Version) -> dict[str, Any]:
    told: dict[str, Any] = {
        "decisionTable": one.table.decision_table,
        "version": one.table.version,
        "kind": one.table.kind,
        "title": one.table.title,
        "rows": len(one.table.rows),
        "state": one.state,
        "writtenBy": one.written_by,
        "writtenAt": format_datetime(one.written_at),
    }
    if one.state == "adopted":
        told |= {
            "from": one.adopted_from,
            "until": holds_until(versions, one) or None,
            "adoptedBy": one.adopted_by,
            "adoptedAt": format_datetime(one.adopted_at),
        }
    return told


__all__ = ["RULE", "CityChecks", "Rules", "read_table"]
