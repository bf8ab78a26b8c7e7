"""Numbers of one attribute as columns, out of both tiers, for whoever aggregates them."""

from __future__ import annotations

from typing import Final

from cityloom.store.history_ports import NumberColumn, Window
from cityloom.store.tables.base.session import Session
from cityloom.store.tables.history.codec import load_value, shape_of
from cityloom.store.tables.history.cold_rows import EXACT
from cityloom.store.tables.history.tiers import Tiers

Column = tuple[list[int], list[int] | list[float], bool]
"""Times, numbers, and whether these are integers."""
_READ: Final = ("time", "datasetId", "kind", "number", "whole", "json", "observed", "deleted", "occurrence")


def number_columns(
    session: Session, tiers: Tiers, incarnation: int, name: int, window: Window
) -> dict[str, NumberColumn] | None:
    """Of each dataset, the times and numbers of a window, by time.

    Returns:
        None where something in it is no observed Property with a number, or integers stand beside
        other numbers.
    """
    hot = _hot(session, incarnation, name, window)
    cold = _cold(tiers, incarnation, name, window) if hot is not None else None
    if hot is None or cold is None:
        return None
    columns = {}
    for dataset_id in sorted({*hot, *cold}):
        parts = [part[dataset_id] for part in (cold, hot) if dataset_id in part]
        if len({whole for _, _, whole in parts}) > 1:
            return None
        times, numbers, _ = parts[0]
        if len(parts) > 1:
            late = parts[1][0][0] < times[-1]
            times, numbers = [*times, *parts[1][0]], [*numbers, *parts[1][1]]
            if late:
                order = sorted(range(len(times)), key=times.__getitem__)
                times, numbers = [times[place] for place in order], [numbers[place] for place in order]
        columns[dataset_id] = NumberColumn(times=times, numbers=numbers)
    return columns


def _hot(session: Session, incarnation: int, name: int, window: Window) -> dict[str, Column] | None:
    dialect = session.dialect
    where, parameters = "incarnation = ? AND name = ?", [incarnation, name]
    for bound, test in ((window.start, "time >= ?"), (window.end, "time < ?")):
        if bound is not None:
            where += f" AND {test}"
            parameters.append(bound)
    if window.dataset_ids is not None:
        found = [session.names.find(dataset) if dataset else 0 for dataset in window.dataset_ids]
        where += f" AND {dialect.is_number_of('dataset', '?')}"
        parameters.append(dialect.numbers([each for each in found if each is not None]))
    if not window.with_repeats:
        where += " AND occurrence = 0"
    # Larger numbers are for whoever reads instances: integers among them may not be exact.
    plain = f"{dialect.is_number('>=', '<=')} AND {dialect.is_number_of('shape', '?')}"
    odd = f"SELECT 1 FROM instance WHERE {where} AND NOT ({plain}) LIMIT 1"
    shapes = dialect.numbers(_plain_shapes(session))
    if session.value(odd, [*parameters, dialect.bound(-EXACT), dialect.bound(EXACT), shapes]) is not None:
        return None
    columns: dict[str, Column] = {}
    sql = f"SELECT dataset, time, value FROM instance WHERE {where} ORDER BY time"
    by_dataset: dict[int, tuple[list[int], list[float]]] = {}
    for dataset, time, value in session.rows(sql, parameters):
        times, numbers = by_dataset.setdefault(dataset, ([], []))
        times.append(time)
        numbers.append(load_value(value))
    for dataset, (times, numbers) in by_dataset.items():
        kinds = {type(number) for number in numbers}
        if len(kinds) > 1:
            return None
        columns[session.names.key(dataset) if dataset else ""] = times, numbers, kinds == {int}
    return columns


def _plain_shapes(session: Session) -> list[int]:
    """The numbers of the shapes of observed Properties."""
    shapes = ((number, shape_of(body)) for number, body in session.rows("SELECT id, body FROM shape"))
    return [
        number
        for number, shape in shapes
        if shape.kind == "Property" and shape.observed and not shape.deleted
    ]


def _cold(tiers: Tiers, incarnation: int, name: int, window: Window) -> dict[str, Column] | None:
    frame = tiers.cold.frame(incarnation, name, window.start, window.end, _READ)
    if frame is None or not frame.height:
        return {}
    import polars as pl

    if not window.with_repeats:
        frame = frame.filter(pl.col("occurrence") == 0)
    if window.dataset_ids is not None:
        wanted = [dataset or None for dataset in window.dataset_ids]
        frame = frame.filter(pl.col("datasetId").is_in(wanted, nulls_equal=True))
    count = frame.height
    if frame["number"].null_count() or frame["json"].null_count() < count:
        return None
    if (frame["kind"] != "Property").any() or not frame["observed"].all() or frame["deleted"].any():
        return None
    columns: dict[str, Column] = {}
    alone = frame["datasetId"].null_count() == count
    parts = {(None,): frame} if alone else frame.partition_by("datasetId", as_dict=True)
    for (dataset_id,), part in parts.items():
        whole = part["whole"].any()
        if whole and not part["whole"].all():
            return None
        times, numbers = part["time"].cast(pl.Int64), part["number"]
        if not times.is_sorted():  # they are, where the months are one file each
            order = times.arg_sort()
            times, numbers = times.gather(order), numbers.gather(order)
        told = (numbers.cast(pl.Int64) if whole else numbers).to_list()
        columns[str(dataset_id or "")] = times.to_list(), told, bool(whole)
    return columns
