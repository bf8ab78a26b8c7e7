"""The pure half of a run: rows in, batches of entities or instances out, every refusal noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cityloom.connect.cells import Row
from cityloom.connect.mapping import Mapping
from cityloom.connect.readers import Rows
from cityloom.connect.rejects import Reject, RowRejected, Unreadable
from cityloom.connect.rows import Built, RowBuilder
from cityloom.model.entity import Attribute
from cityloom.query.areas import Areas, representative_point

_WITHHELD = "(withheld: the source has personal columns)"


class Batch(Struct, kw_only=True):
    """Some rows, dealt with: `read` of them, in order; the built ones and the rejected ones."""

    read: int
    built: list[Built]
    rejects: list[Reject]


class Intake:
    """Takes the rows of one run.

    Args:
        mapping: how rows become entities.
        expand: a name -> its IRI.
        areas: what `within` joins with; None where the mapping has none.
        now: for feeds, see `RowBuilder`.
    """

    def __init__(
        self,
        mapping: Mapping,
        expand: Callable[[str], str],
        areas: Areas | None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.mapping = mapping
        self.builder = RowBuilder(mapping, expand, now)
        self.newest: int | None = None
        self.repeated = 0
        self._areas = areas
        self._personal = frozenset(mapping.personal)
        self._seen: set[int] = set()
        self._within = expand(mapping.within.attribute) if mapping.within is not None else ""

    def batch(self, rows: Rows, file: str, size: int) -> Batch:
        """The next `size` rows; fewer at the end, none (`read` 0) after it.

        Cost: about 30 microseconds a row of ten attributes.
        """
        batch = Batch(read=0, built=[], rejects=[])
        build = self.builder.build
        for number, row in rows:
            batch.read += 1
            if isinstance(row, Unreadable):
                raw = _WITHHELD if self._personal else row.raw
                batch.rejects.append(self._reject(file, number, row.reason, "", row.detail, raw))
            else:
                try:
                    batch.built.append(self._once(build(number, row)))
                except RowRejected as error:
                    raw = self._as_it_came(row)
                    batch.rejects.append(
                        self._reject(file, number, error.reason, error.field, error.detail, raw)
                    )
            if batch.read >= size:
                break
        self._join(batch.built)
        for built in batch.built:
            if built.micros is not None and (self.newest is None or built.micros > self.newest):
                self.newest = built.micros
        return batch

    def refused(self, file: str, built: Built, field: str, detail: str) -> Reject:
        """The reject of a row that the broker refused."""
        return self._reject(file, built.row, "refused", field, detail, self._as_it_came(built.cells))

    def _as_it_came(self, row: Row) -> dict[str, Any]:
        return {key: value for key, value in row.items() if key not in self._personal}

    def _reject(self, file: str, row: int, reason: str, field: str, detail: str, raw: Any) -> Reject:
        return Reject(file=file, row=row, reason=reason, field=field, detail=detail, raw=raw)

    def _once(self, built: Built) -> Built:
        """Refuses the second row of one entity: which of them counts would depend on their order."""
        if self.mapping.series:
            self.repeated += built.occurrence > 0
            return built
        key = hash(built.entity_id)
        if key in self._seen:
            raise RowRejected(
                "id already in this run",
                "id",
                f"{built.entity_id} already exists in this run (is it a series?)",
            )
        self._seen.add(key)
        return built

    def _join(self, batch: list[Built]) -> None:
        areas = self._areas
        if areas is None:
            return
        points = [None if built.geometry is None else representative_point(built.geometry) for built in batch]
        for built, point, area in zip(batch, points, areas.holding(points), strict=True):
            if area is not None:
                built.attributes[self._within] = [Attribute(kind="Relationship", value=area)]
            elif point is not None:
                self.builder.notes["outsideAreas"] += 1
