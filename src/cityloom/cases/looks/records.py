"""Cases as an evaluation looks at them, read from the store one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

import msgspec
from msgspec.structs import replace

from cityloom.cases.insight.duplicates import DuplicateRules, Told
from cityloom.cases.insight.measures import Record
from cityloom.cases.insight.repeats import repeats_of
from cityloom.cases.keep.kept import CASE, TRANSITION, iri, kept_of
from cityloom.cases.loop.case import Transition
from cityloom.model.time import format_datetime
from cityloom.query.values import Path, QCompare, QTime, Query, TypeIs
from cityloom.store.ports import Snapshot

_PAGE: Final = 500
_EVERY: Final = 10**9


def reported_before(until: int) -> Query:
    """Selects the cases that were reported before a time (microseconds)."""
    time = QTime(format_datetime(until), until)
    return Query(types=TypeIs(CASE), q=QCompare(Path((iri("reportedAt"),)), "<", time))


def kept_records(reads: Snapshot, tenant: str, until: int, rules: DuplicateRules) -> Iterator[Record]:
    """The cases that were reported before `until` (microseconds), by id, with their transitions.

    Args:
        rules: by which a case repeats an earlier one; one that was merged repeats the case that it is in.

    Cost: reads every case twice and every transition that is kept, some 0.1 ms a case; holds a page of cases
        in memory, and of all of them type, time and place.
    """
    repeats = repeats_of(_told(reads, tenant, until), rules)
    batch: dict[str, list[Transition]] = {}
    for case, made in groupby(_transitions(reads, tenant), key=lambda one: one.case):
        batch[case] = list(made)
        if len(batch) == _PAGE:
            yield from _records(reads, tenant, batch, until, repeats)
            batch = {}
    yield from _records(reads, tenant, batch, until, repeats)


def _told(reads: Snapshot, tenant: str, until: int) -> Iterator[Told]:
    """What is told of all cases that were reported, without their parts and their words."""
    query = replace(reported_before(until), limit=_EVERY)
    for entity in reads.lights(tenant, query, [iri("case")]):
        kept = kept_of(entity)
        if kept.case.number and not kept.case.part_of:
            yield Told(
                case=kept.case.id,
                type=kept.case.matter.type,
                at=kept.reported_at,
                place=kept.subject.location,
            )


def _transitions(reads: Snapshot, tenant: str) -> Iterator[Transition]:
    """All transitions; those of one case follow each other, since their ids begin with its own."""
    after = ""
    while page := reads.documents(tenant, TRANSITION, after):
        for document in page:
            yield msgspec.convert(document.body, Transition)
        after = page[-1].id


def _records(
    reads: Snapshot,
    tenant: str,
    batch: dict[str, list[Transition]],
    until: int,
    repeats: Mapping[str, str],
) -> Iterator[Record]:
    found = reads.get_many(tenant, list(batch))
    for case, made in batch.items():
        if case not in found:
            continue
        kept = kept_of(found[case])
        if kept.reported_at < until:
            yield Record(
                case=kept.case,
                transitions=tuple(sorted(made, key=lambda one: one.number)),
                area=kept.subject.area,
                repeats=kept.case.into or repeats.get(case, ""),
                placed=case in repeats or bool(kept.case.into),
            )
