"""The ports joined: what a reader sees, and what a work may do."""

from __future__ import annotations

from cityloom.store.tables.entities.map_reads import MapReader
from cityloom.store.tables.forgetting import TenantForgetter
from cityloom.store.tables.history.reads import HistoryReader
from cityloom.store.tables.records.documents import (
    DeliveryReader,
    DeliveryWriter,
    DocumentReader,
    DocumentWriter,
    TimerReader,
    TimerWriter,
)
from cityloom.store.tables.records.leases import LeaseReader, LeaseWriter
from cityloom.store.tables.records.log import LogReader


class TablesSnapshot(
    MapReader, HistoryReader, LogReader, LeaseReader, DocumentReader, DeliveryReader, TimerReader
):
    """One consistent state of everything: the port `Snapshot`."""


class TablesTransaction(MapReader, TenantForgetter, LeaseWriter, DocumentWriter, DeliveryWriter, TimerWriter):
    """The port `Transaction`: made for one work, and of no use after it."""
