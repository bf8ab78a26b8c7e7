"""What looks at a city's cases from outside, together as it is handed to the routes."""

from __future__ import annotations

from typing import NamedTuple

from cityloom.broker.ports import Access
from cityloom.cases.keep.parties import Parties
from cityloom.cases.keep.rulebook import RuleBook
from cityloom.cases.looks.alike import CaseDuplicates
from cityloom.cases.looks.evaluated import CaseEvaluations
from cityloom.cases.looks.surges_told import CaseSurges
from cityloom.model.clock import Clock
from cityloom.store.ports import Store


class CaseInsights(NamedTuple):
    """None of them moves a case."""

    evaluations: CaseEvaluations
    duplicates: CaseDuplicates
    surges: CaseSurges


def insights_of(store: Store, access: Access, clock: Clock, book: RuleBook, parties: Parties) -> CaseInsights:
    """Everything of them, over one store."""
    return CaseInsights(
        evaluations=CaseEvaluations(store, access, clock, book),
        duplicates=CaseDuplicates(store, access, clock, book, parties=parties),
        surges=CaseSurges(store, access, clock, book.rules),
    )
