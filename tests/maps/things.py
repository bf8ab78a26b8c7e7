"""A small city with observations made up for the tests, and a plain list of what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cityloom.broker.local import LocalBroker
from cityloom.broker.ports import Action, Call
from cityloom.ld.context import LdContext
from cityloom.maps.sensorthings.service import answer
from cityloom.maps.sensorthings.view import Lens
from cityloom.model.clock import SimulatedClock
from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.store.ports import Snapshot
from cityloom.store.sqlite import SqliteStore

NOON = parse_datetime("2026-05-01T12:00:00Z")
MINUTE = 60_000_000
ROOT = "http://city.example/sensorthings/v1.1"
expand = LdContext.core.expand_term


@dataclass(frozen=True)
class Record:
    """One observation as it was put in; `time` in minutes before or after noon."""

    entity: str
    attribute: str
    dataset: str
    time: int
    result: Any

    @property
    def moment(self) -> str:
        return format_datetime(NOON + self.time * MINUTE)

    @property
    def datastream(self) -> str:
        return "|".join([self.entity, self.attribute, *([self.dataset] if self.dataset else [])])

    def instance(self) -> Instance:
        return Instance(name=expand(self.attribute), attribute=self.current())

    def current(self) -> Attribute:
        return Attribute(
            kind="Property",
            value=self.result,
            observed_at=self.moment,
            dataset_id=self.dataset,
            unit_code="GQ" if self.attribute == "no2" else None,
        )


A, B, C = (f"urn:ngsi-ld:AirStation:{letter}" for letter in "abc")
BENCH, GONE = "urn:ngsi-ld:Bench:1", "urn:ngsi-ld:AirStation:gone"
ROOF = "urn:x:roof"


def _records() -> list[Record]:
    # Times come twice and thrice within a series and between series.
    found = [Record(A, "no2", "", minute // 2, minute % 7 * 1.5) for minute in range(40)]
    found += [Record(A, "no2", ROOF, minute, minute - 3) for minute in range(10)]
    found += [Record(B, "no2", "", minute // 3 - 10, minute % 5) for minute in range(45)]
    found += [Record(B, "open", "", minute * 3, minute % 2 == 0) for minute in range(9)]
    found += [Record(C, "status", "", minute, ("ok", "low", "error", "")[minute % 4]) for minute in range(15)]
    return found


RECORDS = _records()


class Everyone:
    """Everyone may do everything."""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        return


class Counting:
    """A snapshot that counts how many instances were read of it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)

    def instances(self, *args: Any) -> dict[str, list[Instance]]:
        found = self._snapshot.instances(*args)
        self.read += sum(map(len, found.values()))
        return found


class ThingsCity:
    """A store with RECORDS in it, asked as the web binding asks."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(NOON)
        self.store = SqliteStore(folder / "city.db", self.clock, synchronous="OFF")
        self.broker = LocalBroker(self.store, Everyone(), self.clock)
        self.call = Call(cause=Cause(kind="request", id="request:1"))

    async def fill(self, records: list[Record]) -> None:
        series: dict[tuple[str, str, str], list[Record]] = {}
        for record in records:
            series.setdefault((record.entity, record.attribute, record.dataset), []).append(record)
        attributes: dict[str, dict[str, list[Attribute]]] = {}
        for (id, name, _), of_series in series.items():
            first = of_series[0].current()
            attributes.setdefault(id, {}).setdefault(expand(name), []).append(first)
        for id, observed in attributes.items():
            await self.broker.create_entity(self.call, entity(id, observed))
        for (id, _, _), of_series in series.items():
            instances = [record.instance() for record in of_series[1:]]
            append = HistoryAppend(entity_id=id, types=[expand("AirStation")], instances=instances)
            await self.broker.append_history(self.call, [append])

    @contextmanager
    def counting(self) -> Iterator[Counting]:
        with self.store.snapshot() as snapshot:
            yield Counting(snapshot)

    def ask(self, path: str, reads: Any = None, *, page: int = 1000, tenant: str = "", **options: Any) -> Any:
        """The JSON at a path; options are named without their `$`."""
        params = {f"${name}": str(value) for name, value in options.items()}
        return self.get(path, params, reads, page=page, tenant=tenant)

    def get(
        self, path: str, params: dict[str, str], reads: Any = None, *, page: int = 1000, tenant: str = ""
    ) -> Any:
        lens = Lens(tenant=tenant, now=self.clock.now(), ld_context=LdContext.core, languages="en", root=ROOT)
        if reads is not None:
            return answer(reads, lens, path, params, page).json
        with self.store.snapshot() as snapshot:
            return answer(snapshot, lens, path, params, page).json

    def follow(self, link: str, **more: Any) -> Any:
        """The JSON that a link leads to."""
        parts = urlsplit(link)
        path = f"{parts.scheme}://{parts.netloc}{parts.path}".removeprefix(f"{ROOT}/")
        return self.get(path, dict(parse_qsl(parts.query)), **more)

    def pages(self, path: str, **options: Any) -> list[list[Any]]:
        """Every page, by following the links to the next."""
        found = [self.ask(path, **options)]
        while "@iot.nextLink" in found[-1]:
            found.append(self.follow(found[-1]["@iot.nextLink"]))
        return [page["value"] for page in found]


def entity(id: str, attributes: dict[str, list[Attribute]]) -> Entity:
    """An entity with a name, a place (but C) and an owner beside what it observes."""
    number = "abc".find(id[-1])
    told: dict[str, list[Attribute]] = {
        expand("name"): [Attribute(kind="LanguageProperty", value={"en": f"Station {id[-1]}", "zh": "站"})],
        expand("owner"): [Attribute(kind="Property", value="city")],
    }
    if id != C:
        point = {"type": "Point", "coordinates": [10.0 + number, 50.0]}
        told[LOCATION] = [Attribute(kind="GeoProperty", value=point)]
    return Entity(id=id, types=[expand("AirStation")], attributes={**told, **attributes})


def times(rows: list[dict[str, Any]]) -> list[str]:
    """When rows were observed."""
    return [row["phenomenonTime"] for row in rows]


def key(row: dict[str, Any]) -> tuple[str, str, str]:
    """What a row of Observations and a Record have in common: Datastream, time, result with its kind."""
    datastream = "|".join(part for part in row["@iot.id"].split("|")[:3] if part)
    return datastream, row["phenomenonTime"], repr(row["result"])


def record_key(record: Record) -> tuple[str, str, str]:
    """See `key`."""
    return record.datastream, record.moment, repr(record.result)


def quoted(id: str) -> str:
    """An id as it stands in a path."""
    return "'" + id.replace("'", "''").replace("|", "%7C") + "'"


def plain(link: str) -> str:
    """A link's path below the root, decoded."""
    return unquote(link.removeprefix(f"{ROOT}/"))
