"""History straight into the cold tables: columns all the way, no object for an instance.

The steps are those of every change of the tables (`cold_changes`): what is killed half way has brought
nothing, and what is asked for again brings what is not there yet. All keys are those that
`append_history` would have given, so both ways of writing the past know each other's instances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from cityloom.model.entity import Entity, decode_entity
from cityloom.model.errors import StoreFailed
from cityloom.model.events import Cause
from cityloom.model.time import format_datetime
from cityloom.store.cold.hidden import visible
from cityloom.store.cold.schema import ORDER, frame_schema
from cityloom.store.cold.tables import Change
from cityloom.store.history_ports import Brought
from cityloom.store.instances import parse_instance_id, series_prefix
from cityloom.store.tables.history.codec import Shape, shape_text
from cityloom.store.tables.history.cold_rows import moment
from cityloom.store.tables.records.log import Body
from cityloom.store.tables.snapshot import TablesSnapshot, TablesTransaction
from cityloom.store.tables.tiering.changes import ColdChanges, begin, count_series

if TYPE_CHECKING:
    import polars

KEY: Final = ("incarnation", "attribute", "datasetId", "time", "tie")
"""What tells an instance of one source."""


_MEANWHILE: Final = "the history is not imported: the city was written to meanwhile; import it again"


class Plan(Struct, frozen=True):
    """What of the rows is to be brought."""

    fresh: polars.DataFrame
    """Rows that are not there yet, with `incarnation` (null: of an entity to be made) and `ownType`."""
    refused: polars.DataFrame
    known: int
    seq: int
    """The last event that it knows of."""


class Step(Struct, frozen=True):
    """What step 1 gave out: the change, its event, the time of writing, the first new incarnation."""

    change: Change
    seq: int
    at: int
    first: int


class ColdImport(ColdChanges):
    """Brings rows that no tier has."""

    def bring(
        self,
        tenant: str,
        rows: polars.DataFrame,
        cause: Cause,
        *,
        make: bool = True,
        scopes: Sequence[str] = (),
    ) -> Brought:
        """Writes what is not there yet into the tables, with one event; nobody else writes meanwhile.

        Args:
            rows: of one month, as many as the memory bears: `entityId`, `type` (null: the entity is
                known), `attribute` (both IRIs), `time` (µs, observedAt), `datasetId`, `unitCode`,
                `number`, `whole`, `json` (as in the tables), `occurrence`, `row` (of the file).
            cause: names the source, of which all of them are.
            make: whether entities that history does not know are made, of their first type; else
                their rows are refused.
            scopes: of entities that are made.

        Raises:
            StoreFailed: the tables cannot be written, or somebody else wrote to the city.

        Cost: a sort of the rows, a read of the months' keys where they overlap with files, a seek for
        each entity.
        """
        import polars as pl

        with self._alone():
            plan = self._see(lambda snapshot: _plan(snapshot, tenant, rows, cause.source, make))
            if not plan.fresh.height:
                return Brought(0, plan.known, plan.refused)
            new = _new_entities(plan.fresh)
            reach = int(plan.fresh["time"].max()) + 1  # type: ignore[arg-type]
            step = self._begin_import(reach, new.height, plan.seq)
            frame, new = _frame(plan.fresh, new, tenant, cause.source, step)
            new = new.with_columns(scopes=pl.lit(list(scopes), pl.List(pl.String)))
            version = self._tables.append(frame, step.change)
            finish = partial(_finish, tenant=tenant, cause=cause, step=step, new=new, frame=frame)
            self._show(step.change, version, more=finish)
            return Brought(frame.height, plan.known, plan.refused)

    def _begin_import(self, reach: int, entities: int, seq: int) -> Step:
        def work(tx: TablesTransaction) -> Step:
            if tx.next_seq != seq + 1:
                raise StoreFailed(_MEANWHILE)
            first = tx.db.pulse.incarnation + 1
            tx.db.pulse.incarnation += entities
            return Step(begin(tx, reach, self._base), tx.next_seq, tx.now, first)

        return self._do(work)


def _plan(snapshot: TablesSnapshot, tenant: str, rows: polars.DataFrame, source: str, make: bool) -> Plan:
    import polars as pl

    owned = rows.rename({"occurrence": "tie"}).join(_owners(snapshot, tenant, rows), on="entityId")
    unknown = pl.col("incarnation").is_null()
    refused = owned.filter(unknown if not make else unknown & pl.col("ownType").is_null())
    reason = "unknown entity" if not make else "no type"
    owned = owned.filter(~unknown if not make else pl.col("ownType").is_not_null() | ~unknown)
    fresh = owned
    for known in _known(snapshot, tenant, owned, source):
        fresh = fresh.join(known, on=list(KEY), how="anti", nulls_equal=True)
    return Plan(
        fresh, refused.select("row", reason=pl.lit(reason)), owned.height - fresh.height, snapshot.last_seq()
    )


def _owners(snapshot: TablesSnapshot, tenant: str, rows: polars.DataFrame) -> polars.DataFrame:
    """`entityId`, `incarnation` and `ownType` of each entity: the latest life's, or the first type told."""
    import polars as pl

    told = rows.group_by("entityId").agg(pl.col("type").sort_by("row").drop_nulls().first())
    number = snapshot.db.tenants.find(tenant)
    found: list[tuple[str, int | None, str | None]] = []
    for entity_id, type in told.iter_rows():
        life = snapshot.incarnation(number, entity_id) if number is not None else None
        if life is None:
            found.append((entity_id, None, type))
        else:
            found.append((entity_id, life.number, _first_type(snapshot, life.number, life.current)))
    schema = {"entityId": pl.String, "incarnation": pl.Int64, "ownType": pl.String}
    return pl.DataFrame(found, schema, orient="row")


def _first_type(snapshot: TablesSnapshot, incarnation: int, current: bool) -> str:
    if current:
        body = snapshot.db.value("SELECT body FROM entity WHERE row = ?", (incarnation,))
        types = decode_entity(body).types
    else:
        sql = "SELECT types FROM history_entity WHERE incarnation = ?"
        types = msgspec.json.decode(snapshot.db.value(sql, (incarnation,)))
    return types[0] if types else ""


def _known(
    snapshot: TablesSnapshot, tenant: str, rows: polars.DataFrame, source: str
) -> Iterator[polars.DataFrame]:
    """Keys of instances of the source that are there already, as far as rows may have them."""
    import polars as pl

    of_known = rows.filter(pl.col("incarnation").is_not_null())
    number = snapshot.db.names.find("source:" + source)
    if not of_known.height or number is None:
        return
    start, end = int(of_known["time"].min()), int(of_known["time"].max()) + 1  # type: ignore[arg-type]
    attributes = set(of_known["attribute"].unique())
    hot: list[tuple[Any, ...]] = []
    for (incarnation,) in of_known.select(pl.col("incarnation").unique()).iter_rows():
        for name, _ in snapshot.tiers.hot.oldest(incarnation, end):
            attribute = snapshot.db.names.key(name)
            if attribute in attributes:
                sql = (
                    "SELECT dataset, time, tie FROM instance"
                    " WHERE incarnation = ? AND name = ? AND time >= ? AND time < ? AND origin = ?"
                )
                for dataset, time, tie in snapshot.db.rows(
                    sql, (incarnation, name, start, end, number << 1 | 1)
                ):
                    dataset_id = snapshot.db.names.key(dataset) if dataset else None
                    hot.append((incarnation, attribute, dataset_id, time, tie))
    keys = {"incarnation": pl.Int64, "attribute": pl.String, "datasetId": pl.String, "time": pl.Int64}
    schema: dict[str, Any] = {**keys, "tie": pl.Int64}
    yield pl.DataFrame(hot, schema, orient="row")
    yield pl.DataFrame(list(_moved(snapshot, of_known, source)), schema, orient="row")
    cold = snapshot.tiers.cold
    first, last = str(of_known["entityId"].min()), str(of_known["entityId"].max())
    parts = [
        part
        for parts in cold.months(tenant, start, end)
        for part in parts
        if part.first is None or part.last is None or (part.first <= last and first <= part.last)
    ]
    found = cold.scan(parts) if parts else None
    if found is not None:
        of_source = found.filter(
            pl.col("source") == source,
            pl.col("entityId").is_between(pl.lit(first), pl.lit(last)),
            pl.col("time") >= moment(start),
            pl.col("time") < moment(end),
            pl.col("attribute").is_in(list(attributes)),
        )
        seen = visible(of_source, cold.hidden()).select(KEY)
        yield cold.collect(seen.with_columns(pl.col("time").cast(pl.Int64)))


def _moved(snapshot: TablesSnapshot, rows: polars.DataFrame, source: str) -> Iterator[tuple[Any, ...]]:
    """Keys of those whose `observedAt` somebody changed: their ids are there at another time."""
    import polars as pl

    series = rows.select("incarnation", "entityId", "attribute", "datasetId").unique()
    lives = series["incarnation"].unique().to_list()
    sql = "SELECT 1 FROM instance_key WHERE incarnation = ? LIMIT 1"
    touched = [life for life in lives if snapshot.db.value(sql, (life,)) is not None]
    for incarnation, entity_id, attribute, dataset_id in series.filter(
        pl.col("incarnation").is_in(touched)
    ).iter_rows():
        prefix = series_prefix(entity_id, attribute, dataset_id or "", source)
        ids = snapshot.db.rows(
            "SELECT id FROM instance_key WHERE incarnation = ? AND name = ?",
            (incarnation, snapshot.db.names.find(attribute)),
        )
        for (instance_id,) in ids:
            parsed = parse_instance_id(instance_id)
            if parsed is not None and parsed[2] is None and instance_id.startswith(prefix):
                yield incarnation, attribute, dataset_id, parsed[0], parsed[1]


def _new_entities(fresh: polars.DataFrame) -> polars.DataFrame:
    """`entityId` and `ownType` of those that are to be made."""
    import polars as pl

    return (
        fresh.filter(pl.col("incarnation").is_null()).select("entityId", "ownType").unique().sort("entityId")
    )


def _frame(
    fresh: polars.DataFrame, new: polars.DataFrame, tenant: str, source: str, step: Step
) -> tuple[polars.DataFrame, polars.DataFrame]:
    """The rows as they stand in the tables, and the new entities with their incarnations."""
    import polars as pl

    new = new.with_columns(made=pl.int_range(step.first, step.first + new.height, dtype=pl.Int64))
    time = pl.col("time").cast(pl.Datetime("us", "UTC"))
    whole = fresh.join(new.select("entityId", "made"), on="entityId", how="left").with_columns(
        tenant=pl.lit(tenant or None, pl.String),
        month=time.dt.strftime("%Y-%m"),
        type=pl.col("ownType"),
        incarnation=pl.coalesce("incarnation", "made"),
        time=time,
        observed=pl.lit(True),
        kind=pl.lit("Property"),
        valueType=pl.lit(None, pl.String),
        objectType=pl.lit(None, pl.String),
        deleted=pl.lit(False),
        createdAt=pl.lit(None, pl.Int64),
        modifiedAt=pl.lit(step.at),
        event=pl.lit(step.seq),
        source=pl.lit(source),
        idEvent=pl.lit(None, pl.Int64),
        instanceId=pl.lit(None, pl.String),
        occurrence=pl.col("tie"),
        more=pl.lit(None, pl.String),
        change=pl.lit(step.change.number),
    )
    schema = frame_schema()
    return whole.select(pl.col(name).cast(kind) for name, kind in schema.items()).sort(ORDER), new


def _finish(
    tx: TablesTransaction,
    tenant: str,
    cause: Cause,
    step: Step,
    new: polars.DataFrame,
    frame: polars.DataFrame,
) -> None:
    """What belongs to step 3: the entities that were made, and the event that tells of it."""
    import polars as pl

    if tx.next_seq != step.seq:
        raise StoreFailed(_MEANWHILE)
    number = tx.db.tenants.intern(tenant)
    now = format_datetime(step.at)
    lives = set(frame["incarnation"].unique()).difference(new["made"])
    tx.db.change_many(
        "UPDATE history_entity SET modified = ? WHERE incarnation = ?", [(now, life) for life in lives]
    )
    for entity_id, type, incarnation, scopes in new.iter_rows():
        made = Entity(id=entity_id, types=[type], scopes=scopes, created_at=now, modified_at=now)
        tx.insert_past(number, made, incarnation)
    intern = tx.db.names.intern
    intern("source:" + cause.source)
    for (unit_code,) in frame.select(pl.col("unitCode").unique()).iter_rows():
        tx.db.shapes.intern(shape_text(Shape("Property", unit_code, None, None, True, False)))
    series = frame.group_by("incarnation", "attribute", "datasetId").agg(
        pl.col("time").cast(pl.Int64).min().alias("first"),
        pl.col("time").cast(pl.Int64).max().alias("last"),
        pl.len().alias("count"),
    )
    count_series(
        tx,
        [
            (incarnation, intern(name), intern(dataset) if dataset else 0, first, last, count, count)
            for incarnation, name, dataset, first, last, count in series.iter_rows()
        ],
    )
    entities = frame["entityId"].unique()
    body = Body(
        kind="historyAppended",
        entity_id=entities[0] if len(entities) == 1 else "",
        types=sorted(frame["type"].unique()),
        count=frame.height,
    )
    tx.write_event(tenant, number, cause, body, history=True, at=step.at)
