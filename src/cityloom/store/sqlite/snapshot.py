"""The ports joined: what a reader sees, and what a work may do."""

from __future__ import annotations

from cityloom.store.sqlite.documents import (
    DeliveryReader,
    DeliveryWriter,
    DocumentReader,
    DocumentWriter,
    TimerReader,
    TimerWriter,
)
from cityloom.store.sqlite.forgetting import TenantForgetter
from cityloom.store.sqlite.history import HistoryReader
from cityloom.store.sqlite.log import LogReader
from cityloom.store.sqlite.map_reads import MapReader


class SqliteSnapshot(MapReader, HistoryReader, LogReader, DocumentReader, DeliveryReader, TimerReader):
    """One consistent state of everything: the port `Snapshot`."""


class SqliteTransaction(MapReader, TenantForgetter, DocumentWriter, DeliveryWriter, TimerWriter):
    """The port `Transaction`: made for one work, and of no use after it."""
