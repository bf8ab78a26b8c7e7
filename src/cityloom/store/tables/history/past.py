"""The past of a whole layer: what had last been observed at an instant, and what was observed between two.

History is clustered by entity and attribute, so both are a seek or two for
each attribute of each entity, made inside the database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from cityloom.model.entity import Attribute
from cityloom.store.dialect import Dialect
from cityloom.store.history_ports import Observed
from cityloom.store.tables.base.session import Port, Session
from cityloom.store.tables.history.codec import Rest, Row, Shape, iso, load_value, shape_of
from cityloom.store.tables.history.cold_past import ColdPast


class _Types(Struct):
    """Of a stored entity, its types: the rest is skipped."""

    types: list[str] = []


_decode_types: Final = msgspec.json.Decoder(_Types).decode
_decode_rest: Final = msgspec.json.Decoder(Rest).decode
_ALL: Final = 2**62
_MOST_WALKED = 100_000
"""Instances that one call looks at, but for those of one time; a window that holds more is halved."""


class _Statements(NamedTuple):
    """The statements of this module as a database says them."""

    page: str
    latest: str
    between: str
    many: str


@cache
def _statements(dialect: Dialect, cold: bool) -> _Statements:
    """For a database alone, or (`cold`) for one that has a cold tier."""
    join, each_name = dialect.join, dialect.each_number(":names", "n")
    # First of its stamp, and either observed or a deletion: it tells what is so from then on.
    telling = f"i.occurrence = 0 AND {dialect.is_number_of('i.shape', ':telling')}"
    page = (
        "WITH page AS MATERIALIZED (SELECT id, row FROM entity_type"
        " WHERE tenant = :tenant AND type = :type AND id > :after_id ORDER BY id LIMIT :limit)"
    )
    series = (
        ", series AS MATERIALIZED (SELECT p.id, p.row, n.value AS name, 0 AS dataset"
        f" FROM page p CROSS JOIN {each_name} WHERE {_ever(dialect, cold, 'p.row', 'n.value', '0')}"
        " UNION ALL SELECT p.id, p.row, n.value, d.dataset"
        f" FROM page p CROSS JOIN {each_name} {join} instance d{dialect.by_dataset}"
        " ON d.incarnation = p.row AND d.name = n.value AND d.dataset <> 0"
        f" WHERE {dialect.is_number_of('d.shape', ':observed')} GROUP BY p.id, p.row, n.value, d.dataset"
    )
    if cold:
        series += (
            f" UNION SELECT p.id, p.row, c.name, c.dataset FROM page p CROSS JOIN {each_name}"
            f" {join} cold_series c ON c.incarnation = p.row AND c.name = n.value AND c.dataset <> 0"
            " AND c.observed > 0"
        )
    newest = (
        ") SELECT s.id, s.row, s.name, s.dataset, i.time, i.value, i.shape, i.rest, i.origin, i.tie"
        " FROM series s LEFT JOIN instance i"
        " ON i.incarnation = s.row AND i.name = s.name AND i.dataset = s.dataset"
        " AND (i.time, i.origin, i.tie) = (SELECT i.time, i.origin, i.tie FROM instance i"
        " WHERE i.incarnation = s.row AND i.name = s.name AND i.dataset = s.dataset AND i.time <= :at"
        f" AND {telling} ORDER BY i.time DESC, i.origin DESC, i.tie DESC LIMIT 1)"
        " ORDER BY s.id, s.name, s.dataset"
    )
    within = (
        f"FROM entity_type t CROSS JOIN {each_name} {join} instance i ON i.incarnation = t.row"
        " AND i.name = n.value AND i.time > :after AND i.time <= :until"
        " WHERE t.tenant = :tenant AND t.type = :type"
    )
    between = (
        f"SELECT t.id, t.row, i.name, i.dataset, i.time, i.value, i.shape, i.rest, i.origin, i.tie {within}"
        f" AND {telling} AND ({dialect.is_number_of('i.shape', ':observed')}"
        f" OR {_ever(dialect, cold, 'i.incarnation', 'i.name', 'i.dataset')})"
        " ORDER BY i.time, t.id, i.name, i.dataset, i.origin, i.tie LIMIT :limit"
    )
    return _Statements(
        page, page + series + newest, between, f"SELECT count(*) FROM (SELECT 1 {within} LIMIT :most) m"
    )


def _ever(dialect: Dialect, cold: bool, row: str, name: str, dataset: str) -> str:
    """Whether a dataset of an attribute was ever observed."""
    sql = (
        f"EXISTS (SELECT 1 FROM instance o WHERE o.incarnation = {row} AND o.name = {name}"
        f" AND o.dataset = {dataset} AND {dialect.is_number_of('o.shape', ':observed')})"
    )
    if cold:
        sql += (
            f" OR EXISTS (SELECT 1 FROM cold_series c WHERE c.incarnation = {row} AND c.name = {name}"
            f" AND c.dataset = {dataset} AND c.observed > 0)"
        )
    return f"({sql})"


class PastReader(Port):
    """The part of the port `HistoryReads` that reads many entities at once."""

    def latest_before(
        self, tenant: str, type: str, names: Sequence[str], at: int, after_id: str = "", limit: int = 1000
    ) -> tuple[list[Observed], str | None]:
        """What had last been observed at `at` of the current entities of a type; see the port.

        Cost: two seeks for each entity and name, and a step for each newer instance that is no
        observation; an attribute with several datasets is walked through once.
        """
        asked = self._asked(tenant, type, names)
        if asked is None:
            return [], None
        statements = self._statements
        page = {"tenant": asked["tenant"], "type": asked["type"], "after_id": after_id, "limit": limit}
        count, last = self.db.row(f"{statements.page} SELECT count(*), max(id) FROM page", page)
        found = self.db.rows(statements.latest, {**asked, **page, "at": at}) if count else []
        cold = ColdPast(self.db, tenant)
        if found and not cold.is_empty:
            newer = cold.latest({(row[1], row[2], row[3]): row[4] for row in found}, at)
            found = [_newer(row, newer.get((row[1], row[2], row[3]))) for row in found]
        return self._told(found), last if count == limit else None

    def instances_between(
        self, tenant: str, type: str, names: Sequence[str], after: int, until: int, limit: int = 10_000
    ) -> tuple[list[Observed], int]:
        """What was observed of the current entities of a type in a window; see the port.

        Cost: a seek for each entity and name, and the instances of the window, which is made
        shorter until they are few.
        """
        asked = self._asked(tenant, type, names)
        if asked is None or until <= after:
            return [], until
        window = {**asked, "after": after, "until": until}
        cold, numbers = ColdPast(self.db, tenant), self._numbers(names)
        while window["until"] - after > 1 and self._holds_many(window, cold, numbers):
            window["until"] = after + (window["until"] - after) // 2
        found = self._between(window, cold, numbers, limit + 1)
        if len(found) <= limit:
            return self._told(found), window["until"]
        beyond = found[-1][4]
        whole = [row for row in found if row[4] < beyond]
        if whole:
            return self._told(whole), beyond - 1
        # More than `limit` of one time: they are told together.
        window |= {"after": beyond - 1, "until": beyond}
        return self._told(self._between(window, cold, numbers, _ALL)), beyond

    def _holds_many(self, window: dict[str, Any], cold: ColdPast, names: Collection[int]) -> bool:
        after, until = window["after"], window["until"]
        used = {key: window[key] for key in ("tenant", "type", "names", "after", "until")}
        used["most"] = _MOST_WALKED + 1
        if self.db.value(self._statements.many, used) > _MOST_WALKED:
            return True
        return cold.reaches(after, until) and cold.count(names, after, until) > _MOST_WALKED

    def _between(
        self, window: dict[str, Any], cold: ColdPast, names: Collection[int], limit: int
    ) -> list[Any]:
        """What a window holds, in order; no more than `limit` of it."""
        found = self.db.rows(self._statements.between, {**window, "limit": limit})
        after, until = window["after"], window["until"]
        if not cold.reaches(after, until):
            return found
        sql = "SELECT row, id FROM entity_type WHERE tenant = ? AND type = ?"
        ids: dict[int, str] = dict(self.db.rows(sql, (window["tenant"], window["type"])))
        for row in cold.between(ids, names, after, until):
            if not shape_of(self.db.shapes.key(row.shape)).deleted or self._was_observed(row, window):
                found.append((ids[row.incarnation], *_parts(row)))
        found.sort(key=lambda row: (row[4], row[0], row[2], row[3], row[8], row[9]))
        return found[:limit]

    def _was_observed(self, row: Row, window: dict[str, Any]) -> bool:
        sql = "SELECT " + _ever(self.db.dialect, True, ":row", ":name", ":dataset")
        series = {"row": row.incarnation, "name": row.name, "dataset": row.dataset}
        return bool(self.db.value(sql, {**series, "observed": window["observed"]}))

    @property
    def _statements(self) -> _Statements:
        return _statements(self.db.dialect, self.db.cold_tables is not None)

    def _numbers(self, names: Sequence[str]) -> list[int]:
        return sorted({number for number in map(self.db.names.find, names) if number is not None})

    def _asked(self, tenant: str, type: str, names: Sequence[str]) -> dict[str, Any] | None:
        """The parameters that both reads have; None where nothing can be found."""
        keys = self.db.tenants.find(tenant), self.db.names.find(type)
        numbers = self._numbers(names)
        if None in keys or not numbers:
            return None
        observed, telling = _telling_shapes(self.db)
        return {
            "tenant": keys[0],
            "type": keys[1],
            "names": self.db.dialect.numbers(numbers),
            "observed": self.db.dialect.numbers(observed),
            "telling": self.db.dialect.numbers(telling),
        }

    def _told(self, rows: Sequence[Any]) -> list[Observed]:
        shapes: dict[int, Shape] = {}
        types = self._types_of({row[1] for row in rows})
        key = self.db.names.key
        told = []
        for entity_id, life, name, dataset, time, value, number, rest, _, _ in rows:
            attribute = None
            if time is not None:
                shape = shapes.get(number)
                if shape is None:
                    shape = shapes[number] = shape_of(self.db.shapes.key(number))
                attribute = _attribute(shape, time, value, rest)
            told.append(
                Observed(
                    entity_id=entity_id,
                    types=types[life],
                    name=key(name),
                    dataset_id=key(dataset) if dataset else "",
                    time=time,
                    attribute=attribute,
                )
            )
        return told

    def _types_of(self, lives: Collection[int]) -> dict[int, list[str]]:
        """The types of current entities."""
        dialect = self.db.dialect
        sql = f"SELECT row, body FROM entity WHERE {dialect.is_number_of('row', '?')}"
        return {
            life: _decode_types(body).types
            for life, body in self.db.rows(sql, (dialect.numbers(sorted(lives)),))
        }


def _parts(row: Row) -> tuple[Any, ...]:
    """A row as `_BETWEEN` and `_LATEST` tell it, without the entity's id."""
    return (
        row.incarnation,
        row.name,
        row.dataset,
        row.time,
        row.value,
        row.shape,
        row.rest,
        row.origin,
        row.tie,
    )


def _newer(found: Any, cold: Row | None) -> Any:
    """The later of what the hot tier told (perhaps nothing) and a row of the cold one."""
    if cold is None or (found[4] is not None and (found[4], *found[8:]) > cold[2:5]):
        return found
    return (found[0], *_parts(cold))


def _attribute(shape: Shape, time: int, value: Any, rest: bytes | None) -> Attribute | None:
    """What a row tells, without what only its entity's history needs; None for a deletion."""
    if shape.deleted:
        return None
    more = _decode_rest(rest) if rest is not None else None
    return Attribute(
        kind=shape.kind,
        value=load_value(value),
        observed_at=(more.observed_at if more is not None else None) or iso(time),
        unit_code=shape.unit_code,
        value_type=shape.value_type,
    )


def _telling_shapes(session: Session) -> tuple[list[int], list[int]]:
    """The numbers of the shapes that are observed, and of those that are or are deletions."""
    observed, telling = [], []
    for number, body in session.rows("SELECT id, body FROM shape"):
        shape = shape_of(body)
        if shape.observed and not shape.deleted:
            observed.append(number)
        if shape.observed or shape.deleted:
            telling.append(number)
    return observed, telling
