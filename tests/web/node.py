"""A whole node for tests: the real rooms on a file, behind a real server on a free port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvicorn
import yarl

import cityloom
from cityloom.broker.door import Limits
from cityloom.broker.ports import Action, Call
from cityloom.cases.keep.city import load_rules
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.kept import CASE, ROOM
from cityloom.cases.keep.places import Places
from cityloom.cases.looks.insights import insights_of
from cityloom.cases.service import Cases
from cityloom.connect.run import Importer
from cityloom.connect.sources import Sources
from cityloom.connect.work import Target
from cityloom.federation.asking.forward import Forwarder
from cityloom.federation.asking.identity import node_alias
from cityloom.federation.broker import FederatedBroker
from cityloom.federation.registrations.following import RegistrationsFollowed
from cityloom.federation.registrations.service import Registrations
from cityloom.federation.sharing.shared import SharedWithSources
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts
from cityloom.model.clock import SystemClock
from cityloom.model.errors import Forbidden, Unauthorized
from cityloom.model.settings import Settings
from cityloom.net.client import Outgoing, OutgoingSettings
from cityloom.rules.jobs import Replays
from cityloom.rules.kept import Rules
from cityloom.rules.past import OpeningPast
from cityloom.snapshots.service import Snapshots
from cityloom.store.sqlite import SqliteStore
from cityloom.subscriptions.document import COUNTERS, SUBSCRIPTION
from cityloom.subscriptions.service import Subscriptions
from cityloom.web.ngsi.snapshots import read_queries
from cityloom.web.problem import problem_of
from cityloom.web.routes import Application
from cityloom.web.services import City, Services

CASE_RULES = load_rules(Path(cityloom.__file__).parent / "profiles" / "sample" / "cases.yaml")
API = "/ngsi-ld/v1"
LD_JSON = "application/ld+json"


class OpenAccess:
    """Everyone may do everything, but the party `reader`, who may read, and `stranger`, who may not."""

    def check(self, call: Call, action: Action, resource: str = "") -> None:
        if call.party == "stranger" or (call.party == "reader" and action != "read"):
            raise Forbidden(f"party {call.party} may not {action} {resource}")

    def case_roles(self, call: Call) -> Sequence[str] | None:
        """A party holds the roles that it is called by: `intake`, `department:roads,department:water`."""
        return call.party.split(",") if call.party else None


def identify(headers: Mapping[str, str]) -> str:
    key = headers.get("x-api-key", "")
    if key == "wrong":
        raise Unauthorized("the API key is invalid: nobody has it")
    return key


@dataclass
class Answer:
    """An answer, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem's type."""
        return str(self.json["type"]).removeprefix("https://uri.etsi.org/ngsi-ld/errors/")


class Client:
    """Asks one node."""

    def __init__(self, session: aiohttp.ClientSession, base: str, services: Services, app: Any) -> None:
        self.session = session
        self.base = base
        self.services = services
        self.app = app

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request; `body` goes as JSON, or ld+json when it has an @context."""
        sent = dict(headers or {})
        data = raw
        if body is not None:
            data = msgspec.json.encode(body)
            first = body[0] if isinstance(body, list) and body else body
            has_context = isinstance(first, dict) and "@context" in first
            sent.setdefault("Content-Type", LD_JSON if has_context else "application/json")
        url = path if path.startswith("http") else self.base + path
        target = yarl.URL(url, encoded=True)
        if params:
            target = target.with_query(dict(params))
        async with self.session.request(
            method, target, data=data, headers=sent, skip_auto_headers=["Content-Type"], allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("PATCH", path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.ask("PUT", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, **options)


@asynccontextmanager
async def open_services(folder: Path, settings: Settings) -> AsyncIterator[Services]:
    """Real rooms over a fresh file in `folder`, closed at the end of the block."""
    clock, access = SystemClock(), OpenAccess()
    # What survives a power cut is the store's own test; here nothing waits for the disk.
    store = SqliteStore(folder / "city.db", clock, synchronous="OFF")
    outgoing = Outgoing(OutgoingSettings(allow_loopback=True))
    contexts = Contexts(store, outgoing, clock)
    registrations = Registrations(store, access, clock)
    forwarder = Forwarder(
        outgoing, contexts, registrations.registry, clock, settings, node_alias(store, "Testville")
    )
    broker = FederatedBroker(
        store,
        access,
        clock,
        limits=Limits(instances=settings.temporal_default, instances_max=settings.temporal_max),
        registry=registrations.registry,
        forwarder=forwarder,
        settings=settings,
        owned_types={CASE: ROOM},
    )
    files = EvidenceFiles(
        folder / "evidence", most_bytes=settings.max_photo_bytes, most_pixels=settings.max_photo_pixels
    )
    places = Places(CASE_RULES.areas, LdContext.core.expand_term, CASE_RULES.landmarks)
    target = Target(
        broker=broker,
        store=store,
        clock=clock,
        expand=LdContext.core.expand_term,
        rejects=folder / "runs",
        party="city",
    )
    followed = RegistrationsFollowed(registrations.registry, clock)
    subscriptions = Subscriptions(store, access, contexts, outgoing, clock, settings, followed, broker)
    shared = SharedWithSources(
        store, clock, settings, contexts, forwarder=forwarder, subscribed=subscriptions.shared
    )
    snapshots = Snapshots(
        store,
        access,
        clock,
        broker=broker,
        settings=settings,
        resolve=contexts.resolve,
        read_queries=read_queries,
        problem=problem_of,
        kinds=(SUBSCRIPTION, COUNTERS),
    )
    rules = Rules(store, access, clock, zone=UTC)
    replays = Replays(
        store,
        access,
        clock,
        rules,
        openings=OpeningPast(expand=LdContext.core.expand_term, zone=UTC, centre=(-71.06, 42.36)),
    )
    cases = Cases(store, access, clock, CASE_RULES, parties=access, files=files, places=places)
    try:
        yield Services(
            broker=broker,
            store=store,
            contexts=contexts,
            access=access,
            identify=identify,
            alias=forwarder.alias,
            subscriptions=subscriptions,
            shared=shared,
            registrations=registrations,
            entity_maps=broker,
            snapshots=snapshots,
            source_subscriptions=subscriptions.sources,
            sources=Sources(Importer(target), [], access),
            schemas=broker.schemas,
            personal=broker.personal,
            cases=cases,
            case_insights=insights_of(store, access, clock, cases.book, access),
            rules=rules,
            rule_replays=replays,
            city=City(name={"en": "Testville"}, profile="test", center=(-71.06, 42.36)),
            clock=clock,
            settings=settings,
            checks={},
        )
    finally:
        await replays.close()
        await snapshots.close()
        await outgoing.close()
        store.close()


@asynccontextmanager
async def running_node(folder: Path, settings: Settings | None = None) -> AsyncIterator[Client]:
    """A node over a fresh file in `folder` that serves until the block ends."""
    async with open_services(folder, settings or Settings()) as services, running(services) as client:
        yield client


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[Client]:
    """A node that serves until the block ends."""
    app = Application(services)
    config = uvicorn.Config(
        app, port=0, log_config=None, lifespan="off", access_log=False, ws="none", proxy_headers=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Its parts by hand: `serve` looks only ten times a second whether it shall stop.
    await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as session:
            yield Client(session, f"http://127.0.0.1:{port}", services, app)
    finally:
        app.hub.close()
        await ended(server)


async def ended(server: uvicorn.Server) -> None:
    """Stops a server as its own `shutdown` does, but without its pause of a tenth of a second."""
    for each in server.servers:
        each.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    while server.server_state.connections or server.server_state.tasks:
        await asyncio.sleep(0.001)
    await server.lifespan.shutdown()
