"""Temporal evolution as a stream of observations and as frames.

A node answers the last n instances of each attribute, and says in `Content-Range` which time they cover when
that is more than it answers at once (ETSI GS CIM 009 clause 6.3.10). The stream reads on before the time that
is surely whole, entity by entity, so that nothing is left out or told twice and memory stays small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import quote

import httpx

from cityloom.client.entities import value_of
from cityloom.client.frames import Rows, as_text
from cityloom.client.http import CityError, Http, moment

if TYPE_CHECKING:
    import polars as pl

PATH: Final = "/ngsi-ld/v1/temporal/entities"
_HEAD: Final = frozenset({"id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt"})
_RANGE = re.compile(r"date-?time (\d{4}-\d\d-\d\dT[\d:.]+Z)-(\d{4}-\d\d-\d\dT[\d:.]+Z)/", re.IGNORECASE)
_MOST: Final = 10_000
"""Instances asked for at once."""
_INSTANT: Final = timedelta(microseconds=1)
_EARLIEST: Final = "0001-01-01T00:00:00Z"


class Observation(TypedDict):
    """One instance of one attribute; `observedAt` is the asked time property's value."""

    id: str
    attribute: str
    datasetId: str | None
    observedAt: datetime
    value: Any
    unitCode: str | None


class History(Rows[Observation]):
    """Instances of attributes, the newest first for each entity, read as they are walked.

    A frame has a row an instance: `id`, `attribute`, `datasetId`, `observedAt` (UTC), `value`, `unitCode`.
    """

    columns = ("id", "attribute", "datasetId", "observedAt", "value", "unitCode")

    def to_wide(self) -> pl.DataFrame:
        """One row an entity and time, a column an attribute, in order of time."""
        frame = self.to_polars()
        return frame.pivot(
            on="attribute", index=["id", "observedAt"], values="value", aggregate_function="first"
        ).sort("id", "observedAt")


class Aggregate(TypedDict):
    """The value of one method over one period, [start, end)."""

    id: str
    attribute: str
    datasetId: str | None
    method: str
    start: datetime
    end: datetime
    value: Any


class AggregatedHistory(Rows[Aggregate]):
    """Aggregates of periods; a frame has a row for each entity, attribute, method and period."""

    columns = ("id", "attribute", "datasetId", "method", "start", "end", "value")


def read_history(
    http: Http, params: dict[str, Any], ids: list[str], start: Any, end: Any, timeproperty: str
) -> Iterator[Observation]:
    """Yields every instance of the entities within [start, end)."""
    for entity_id in ids:
        until = moment(end)
        while True:
            window = {
                "timerel": "between",
                "timeAt": moment(start) if start is not None else _EARLIEST,
                "endTimeAt": until,
                "timeproperty": timeproperty,
                "lastN": _MOST,
            }
            try:
                answer = http.request("GET", f"{PATH}/{quoted(entity_id)}", {**params, **window})
            except CityError as error:
                # Nothing of it in that time: history does not know the entity or the attribute there.
                if error.status == 404:
                    break
                raise
            found = _newest_first(entity_id, answer.json(), timeproperty)
            whole = _whole_from(found, answer)
            if whole is None:
                yield from found
                break
            yield from (each for each in found if each["observedAt"] >= whole)
            until = moment(whole)


def _whole_from(found: list[Observation], answer: httpx.Response) -> datetime | None:
    """From which time on every instance has come; None when all have."""
    limits = []
    if answer.status_code == 206 and (told := _RANGE.match(answer.headers.get("Content-Range", ""))):
        limits.append(min(datetime.fromisoformat(text) for text in told.groups()))
    times: dict[tuple[str, str | None], list[datetime]] = {}
    for each in found:
        times.setdefault((each["attribute"], each["datasetId"]), []).append(each["observedAt"])
    for many in times.values():
        if len(many) >= _MOST:
            # Of the earliest time there may be more: it is read again, unless it is the only one.
            earliest = min(many)
            limits.append(earliest + _INSTANT if earliest != max(many) else earliest)
    return max(limits, default=None)


def _newest_first(entity_id: str, document: dict[str, Any], timeproperty: str) -> list[Observation]:
    found: list[Observation] = []
    for name, member in document.items():
        if name in _HEAD:
            continue
        for instance in member if isinstance(member, list) else [member]:
            at = instance.get(timeproperty) or instance.get("observedAt") or instance.get("modifiedAt")
            if at is None:
                continue
            value = value_of(instance)
            found.append(
                {
                    "id": entity_id,
                    "attribute": name,
                    "datasetId": instance.get("datasetId"),
                    "observedAt": datetime.fromisoformat(at),
                    "value": as_text(value) if isinstance(value, dict | list) else value,
                    "unitCode": instance.get("unitCode"),
                }
            )
    return sorted(found, key=lambda each: (each["observedAt"], each["attribute"]), reverse=True)


def read_aggregates(http: Http, params: dict[str, Any], ids: list[str]) -> Iterator[Aggregate]:
    """Yields the aggregates of each entity, oldest first."""
    for entity_id in ids:
        try:
            document = http.get(f"{PATH}/{quoted(entity_id)}", params)
        except CityError as error:
            if error.status == 404:
                continue
            raise
        for name, member in document.items():
            if name in _HEAD:
                continue
            for instance in member if isinstance(member, list) else [member]:
                yield from _aggregates(entity_id, name, instance)


def _aggregates(entity_id: str, name: str, instance: dict[str, Any]) -> Iterator[Aggregate]:
    for method, values in instance.items():
        if not isinstance(values, list):
            continue
        for value, start, end in values:
            yield {
                "id": entity_id,
                "attribute": name,
                "datasetId": instance.get("datasetId"),
                "method": method,
                "start": datetime.fromisoformat(start),
                "end": datetime.fromisoformat(end),
                "value": value,
            }


def quoted(entity_id: str) -> str:
    """An id as one segment of a path."""
    return quote(entity_id, safe="")
