"""GTFS-realtime: vehicle positions, trip updates, alerts (protocol buffers).

Source: GTFS Realtime Reference v2.0. Columns are the names of its fields,
flat; docs/mappings.md lists them. Enumerations are given by name, times as
UTC, what is absent is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2 as pb

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of, read_bytes
from cityloom.model.errors import ConfigurationError

Row = dict[str, Any]


def open_gtfs_realtime(mapping: Mapping, content: Content) -> Table:
    """Opens a feed message; `layer` says which of its entities become rows.

    Raises:
        ConfigurationError: it is no feed message.
    """
    message = pb.FeedMessage()
    try:
        message.ParseFromString(read_bytes(content))
    except DecodeError as error:
        raise ConfigurationError(f"{name_of(content)} cannot be read as GTFS-realtime: {error}") from None
    stamp = _time(message.header, "timestamp")
    makers = {"vehicles": _vehicles, "tripUpdates": _trip_updates, "alerts": _alerts}
    make = makers[mapping.layer]

    def rows() -> Rows:
        number = 0
        for entity in message.entity:
            if entity.is_deleted:
                continue
            for row in make(entity, stamp):
                number += 1
                yield number, row

    table = Table(rows=rows())
    if mapping.layer != "tripUpdates" and all(not entity.is_deleted for entity in message.entity):
        table.notes["feedEntities"] = len(message.entity)
    return table


def _get(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _enum(message: Any, name: str) -> str | None:
    if not message.HasField(name):
        return None
    number = getattr(message, name)
    value = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number.get(number)
    return str(number) if value is None else str(value.name)


def _time(message: Any, name: str) -> datetime | None:
    seconds = _get(message, name)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _trip(trip: Any) -> Row:
    row = {
        name: _get(trip, name) for name in ("trip_id", "route_id", "direction_id", "start_time", "start_date")
    }
    row["schedule_relationship"] = _enum(trip, "schedule_relationship")
    return row


def _vehicles(entity: Any, stamp: datetime | None) -> Iterator[Row]:
    if not entity.HasField("vehicle"):
        return
    vehicle = entity.vehicle
    row = {"entity_id": entity.id, **_trip(vehicle.trip)}
    row["vehicle_id"] = _get(vehicle.vehicle, "id")
    row["vehicle_label"] = _get(vehicle.vehicle, "label")
    row["license_plate"] = _get(vehicle.vehicle, "license_plate")
    if vehicle.HasField("position"):
        for name in ("latitude", "longitude", "bearing", "odometer", "speed"):
            row[name] = _single(_get(vehicle.position, name))
    for name in ("current_stop_sequence", "stop_id", "occupancy_percentage"):
        row[name] = _get(vehicle, name)
    for name in ("current_status", "congestion_level", "occupancy_status"):
        row[name] = _enum(vehicle, name)
    row["timestamp"] = _time(vehicle, "timestamp") or stamp
    yield row


def _single(value: float | None) -> float | None:
    """A single-precision number without the digits that it does not have: 42.36, not 42.36000061."""
    return None if value is None else float(str(np.float32(value)))


def _trip_updates(entity: Any, stamp: datetime | None) -> Iterator[Row]:
    if not entity.HasField("trip_update"):
        return
    update = entity.trip_update
    shared = {"entity_id": entity.id, **_trip(update.trip)}
    shared["vehicle_id"] = _get(update.vehicle, "id")
    shared["vehicle_label"] = _get(update.vehicle, "label")
    shared["delay"] = _get(update, "delay")
    shared["timestamp"] = _time(update, "timestamp") or stamp
    for stop in update.stop_time_update:
        row = dict(shared)
        row["stop_sequence"] = _get(stop, "stop_sequence")
        row["stop_id"] = _get(stop, "stop_id")
        for name in ("arrival", "departure"):
            event = getattr(stop, name)
            row[f"{name}_time"] = _time(event, "time")
            row[f"{name}_delay"] = _get(event, "delay")
        row["schedule_relationship"] = _enum(stop, "schedule_relationship")
        yield row


def _alerts(entity: Any, stamp: datetime | None) -> Iterator[Row]:
    if not entity.HasField("alert"):
        return
    alert = entity.alert
    row: Row = {"entity_id": entity.id, "timestamp": stamp}
    for name in ("cause", "effect", "severity_level"):
        row[name] = _enum(alert, name)
    if alert.active_period:
        row["active_start"] = _time(alert.active_period[0], "start")
        row["active_end"] = _time(alert.active_period[0], "end")
    for name in ("header_text", "description_text", "url"):
        _translations(row, name, getattr(alert, name).translation)
    for informed in alert.informed_entity:
        for name in ("agency_id", "route_id", "stop_id"):
            if row.get(name) is None:
                row[name] = _get(informed, name)
    yield row


def _translations(row: Row, name: str, translations: Any) -> None:
    for translation in translations:
        language = _get(translation, "language")
        if language:
            row[f"{name}_{language}"] = translation.text
        if row.get(name) is None or not language:
            row[name] = translation.text
