"""Cases as an evaluation looks at them, read from the store one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from cityloom.cases.insight.duplicates import Told
from cityloom.cases.insight.measures import Record
from cityloom.cases.keep.kept import CASE, TRANSITION, iri, kept_of
from cityloom.cases.loop.case import Transition
from cityloom.query.values import Query, TypeIs
from cityloom.store.ports import Snapshot

_PAGE: Final = 500
_EVERY: Final = 10**9
_READ: Final = (iri("case"),)
"""All else of a case's entity is made of this."""


def told_before(reads: Snapshot, tenant: str, until: int) -> tuple[int, list[Told]]:
    """How many cases were reported before a time (microseconds), drafts and parts of split cases among them;
    and what is told of those that are neither, without their words.

    Cost: reads every case, some 30 µs each.
    """
    count, found = 0, list[Told]()
    for entity in reads.lights(tenant, Query(types=TypeIs(CASE), limit=_EVERY), _READ):
        kept = kept_of(entity)
        if kept.reported_at >= until:
            continue
        count += 1
        if kept.case.number and not kept.case.part_of:
            told = Told(
                case=kept.case.id,
                type=kept.case.matter.type,
                at=kept.reported_at,
                place=kept.subject.location,
            )
            found.append(told)
    return count, found


def kept_records(reads: Snapshot, tenant: str, until: int, repeats: Mapping[str, str]) -> Iterator[Record]:
    """The cases that were reported before `until` (microseconds), by id, with their transitions.

    Args:
        repeats: the earlier case that one repeats, "" for none; one that was merged repeats the case that it
            is in. Who is not there has no place.

    Cost: reads every transition that is kept, and every case; holds a page of cases in memory.
    """
    batch: dict[str, list[Transition]] = {}
    for case, made in groupby(_transitions(reads, tenant), key=lambda one: one.case):
        batch[case] = list(made)
        if len(batch) == _PAGE:
            yield from _records(reads, tenant, batch, until, repeats)
            batch = {}
    yield from _records(reads, tenant, batch, until, repeats)


def _transitions(reads: Snapshot, tenant: str) -> Iterator[Transition]:
    """All transitions; those of one case follow each other, since their ids begin with its own."""
    after = ""
    while page := reads.documents(tenant, TRANSITION, after, body=Transition):
        for document in page:
            yield document.body
        after = page[-1].id


def _records(
    reads: Snapshot,
    tenant: str,
    batch: dict[str, list[Transition]],
    until: int,
    repeats: Mapping[str, str],
) -> Iterator[Record]:
    found = reads.get_many(tenant, list(batch), _READ)
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
