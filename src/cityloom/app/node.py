"""A `Node`: everything of one city in one process, and the web application over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from cityloom.access.keys import CITY, KeyAccess, Keys
from cityloom.app.cases import CaseParts, Ground, Where
from cityloom.app.opening import open_store, outgoing_settings, profile_context
from cityloom.app.upkept import UPKEEP_EVERY, KeptUp, kept_running
from cityloom.broker.ageing import Ageing
from cityloom.broker.door import Limits
from cityloom.broker.ports import Call
from cityloom.broker.upkeep import Upkeep
from cityloom.cases.keep.city import CaseRules, load_rules
from cityloom.cases.keep.erasing import erase_reporters_photos
from cityloom.cases.keep.files import EvidenceFiles
from cityloom.cases.keep.kept import CASE
from cityloom.cases.keep.kept import ROOM as CASES_ROOM
from cityloom.cases.looks.alerts import SURGE
from cityloom.connect.feeds import Feeds
from cityloom.connect.mapping import Mapping as SourceMapping
from cityloom.connect.profile import Profile, load_profile
from cityloom.connect.run import Importer
from cityloom.connect.sources import Sources
from cityloom.connect.work import Target
from cityloom.consumers.lease import Leases, Part, Together
from cityloom.consumers.timers import Timers
from cityloom.consumers.views import Views
from cityloom.federation.asking.entity_maps import CONSUMER as MAPS
from cityloom.federation.asking.entity_maps import forget_expired
from cityloom.federation.asking.forward import Forwarder
from cityloom.federation.asking.identity import node_alias
from cityloom.federation.broker import FederatedBroker
from cityloom.federation.registrations.following import RegistrationsFollowed
from cityloom.federation.registrations.service import Registrations
from cityloom.federation.sharing.shared import SharedWithSources
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext
from cityloom.ld.contexts import Contexts, ContextSettings
from cityloom.ld.kept import DOCUMENT_KIND
from cityloom.ld.limits import limits_of
from cityloom.model.clock import Clock, SystemClock
from cityloom.model.errors import CityloomError, Unauthorized
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.net.client import Outgoing
from cityloom.snapshots.service import Snapshots
from cityloom.store.ports import Snapshot, Transaction
from cityloom.subscriptions.document import CONSUMER, COUNTERS, SUBSCRIPTION
from cityloom.subscriptions.service import Subscriptions
from cityloom.web.ngsi.snapshots import read_queries
from cityloom.web.problem import problem_of
from cityloom.web.routes import Application
from cityloom.web.services import City, Services

_log = structlog.get_logger("app")
_Run = Callable[[], Awaitable[None]]
_WRITTEN = "sourceWritten"
"""The kind of document whose change says that something was written at a registered source."""
_SYSTEM = Cause(kind="system", id="system:sources", operation="sourceWritten")


class Node:
    """Everything of one city in one process, wired but not yet running.

    Args:
        folder: the city's folder.
        settings: see `CityFolder.settings`.
        worker: which of several processes over this folder it is; None: the only one.
        beside: the folder where these write down what each counted.

    Raises:
        ConfigurationError: the profile, a mapping or the store's file is not usable.
    """

    def __init__(
        self,
        folder: CityFolder,
        settings: Settings,
        clock: Clock | None = None,
        *,
        worker: int | None = None,
        beside: Path | None = None,
    ) -> None:
        self.worker = worker
        self.beside = beside
        self.folder = folder
        self.settings = settings
        self.clock = clock or SystemClock()
        self.profile: Profile | None = None
        self.mappings: list[SourceMapping] = []
        case_rules: CaseRules | None = None
        if folder.profile:
            loaded = load_profile(folder.profile)
            self.profile, self.mappings = loaded.profile, loaded.mappings
            if loaded.cases_file is not None:
                case_rules = load_rules(loaded.cases_file)
        self.ld_context = profile_context(self.profile)
        self.keys = Keys(folder.keys_file, self.clock)
        self.access = KeyAccess(
            self.keys,
            open_node=settings.open_node,
            public_read=settings.public_read,
            public_report=settings.public_report,
        )
        self.store = open_store(folder, settings, self.clock, shared=worker is not None)
        self.views = Views(self.store)
        self.leases = Leases(self.store, self.clock, settings.lease, enter=self._enter)
        self.outgoing = Outgoing(outgoing_settings(settings))
        self.contexts = Contexts(
            self.store,
            self.outgoing,
            self.clock,
            limits_of(settings),
            ContextSettings(public_url=settings.url),
        )
        self.views.follow(
            DOCUMENT_KIND, lambda _, change: partial(self.contexts.forget, change.tenant, change.id)
        )
        limits = Limits(instances=settings.temporal_default, instances_max=settings.temporal_max)
        matching = self.leases.fenced("subscriptions")
        self.registrations = Registrations(self.store, self.access, self.clock, self.views, matching)
        self.forwarder = Forwarder(
            self.outgoing,
            self.contexts,
            self.registrations.registry,
            self.clock,
            settings,
            node_alias(self.store, self.city().name.get("en", self.city().profile)),
            self._tell_written if self.store.shared else None,
        )
        self.views.follow(
            _WRITTEN, lambda _, change: partial(self.forwarder.forget_answers, change.tenant, change.id)
        )
        self.broker = FederatedBroker(
            self.store,
            self.access,
            self.clock,
            limits,
            registry=self.registrations.registry,
            forwarder=self.forwarder,
            settings=settings,
            owned_types={CASE: CASES_ROOM, SURGE: CASES_ROOM},
        )
        self.kept_up = self.leases.fenced("upkeep")
        self._limits = limits
        self.upkeep = Upkeep(self.kept_up, self.clock, self._retention(), limits)
        self._maps = Timers(self.kept_up, MAPS, self.clock, forget_expired, self.broker.maps.timer_set)
        self.ageing = Ageing(self.kept_up.cold, self.clock, settings.cold_after, settings.cold_keep)
        self.importer = Importer(
            Target(
                broker=self.broker,
                store=self.store,
                clock=self.clock,
                expand=self.ld_context.expand_term,
                rejects=folder.runs,
                party=CITY,
            )
        )
        self.sources = Sources(self.importer, self.mappings, self.access)
        self.feeds = Feeds(self.sources, self.outgoing, data=folder.sources)
        self.subscriptions = Subscriptions(
            self.store,
            self.access,
            self.contexts,
            self.outgoing,
            self.clock,
            settings,
            RegistrationsFollowed(self.registrations.registry, self.clock),
            self.broker,
            self.views,
            matching,
        )
        self.shared = SharedWithSources(
            self.store,
            self.clock,
            settings,
            self.contexts,
            forwarder=self.forwarder,
            subscribed=self.subscriptions.shared,
            views=self.views,
            background=matching,
        )
        self.snapshots = Snapshots(
            self.store,
            self.access,
            self.clock,
            broker=self.broker,
            settings=settings,
            resolve=self.contexts.resolve,
            read_queries=read_queries,
            problem=problem_of,
            kinds=(SUBSCRIPTION, COUNTERS),
            views=self.views,
            here=self.leases.holder,
            alive=self.leases.alive,
        )

        self.case_parts = CaseParts(
            Ground(self.store, self.access, self.clock, self.leases),
            Where(
                ZoneInfo(self.profile.time_zone if self.profile is not None else "UTC"),
                self.city().center,
                self.ld_context.expand_term,
            ),
            case_rules,
            EvidenceFiles(
                folder.evidence, most_bytes=settings.max_photo_bytes, most_pixels=settings.max_photo_pixels
            ),
        )

        if case_rules is not None:
            self.broker.personal.erase_too(erase_reporters_photos)

    def identify(self, headers: Mapping[str, str]) -> str:
        """The party that the headers (lower case) name; "" when they name none.

        Raises:
            Unauthorized: they hold a key that nobody has.
        """
        if "authorization" not in headers and "x-api-key" not in headers:
            return ""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not token:
            return ""
        key = self.keys.identify(token)
        if key is None:
            raise Unauthorized("the API key is invalid: nobody has it")
        return key.party

    def city(self) -> City:
        """What the page needs to know."""
        given = self.folder.configuration.name
        if self.profile is None:
            return City(name={"en": given}, profile="", center=(0.0, 0.0))
        profile = self.profile
        return City(
            name={"en": given} if given else profile.title or {"en": profile.name},
            profile=profile.name,
            center=profile.center,
            bbox=profile.bbox,
            languages=profile.languages,
            time_zone=profile.time_zone,
            crs=profile.map_crs,
            attribution=[
                {"name": entry.name, "licence": entry.licence, "url": entry.url}
                for entry in profile.attribution
            ],
            groups=[
                {"id": group.id, "title": group.title, "types": [self._told(type) for type in group.types]}
                for group in profile.groups
            ],
        )

    def _told(self, type: str) -> str:
        """A type as the page hears of it, which has no @context of its own."""
        return LdContext.core.compact_iri(self.ld_context.expand_term(type))

    def services(self) -> Services:
        """What the routes work with."""
        return Services(
            broker=self.broker,
            store=self.store,
            contexts=self.contexts,
            access=self.access,
            identify=self.identify,
            alias=self.forwarder.alias,
            subscriptions=self.subscriptions,
            shared=self.shared,
            registrations=self.registrations,
            entity_maps=self.broker,
            snapshots=self.snapshots,
            source_subscriptions=self.subscriptions.sources,
            sources=self.sources,
            schemas=self.broker.schemas,
            personal=self.broker.personal,
            cases=self.case_parts.cases,
            case_insights=self.case_parts.insights,
            rules=self.case_parts.rules,
            rule_replays=self.case_parts.replays,
            city=self.city(),
            clock=self.clock,
            settings=self.settings,
            checks={"store": self._check_store},
            fresh=self.views.current if self.store.shared else None,
            worker=self.worker or 0,
            process=self.leases.holder,
            beside=self.beside,
        )

    def own_call(self, operation: str) -> Call:
        """The call by which the city itself does something."""
        return Call(party=CITY, cause=Cause(kind="system", id=f"system:{operation}", operation=operation))

    def prepare(self) -> None:
        """What must be right before it serves. Raises ConfigurationError: the rules of cases are not."""
        self.case_parts.prepare()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs what follows the log, feeds and upkeep in the background; ends it all at the end."""
        await self.views.start()
        await self.registrations.start()
        await self.subscriptions.load()
        await self.shared.load()
        await self.snapshots.load()
        await self.leases.start(self._parts())
        tasks = [
            asyncio.create_task(kept_running(name, run))
            for name, run in (
                ("leases", self.leases.run),
                ("views", self.views.run),
                ("counters", self.registrations.keep_counting),
                ("contexts", self._keep_contexts),
                *self.case_parts.everywhere().items(),
            )
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.case_parts.close()
            await self.snapshots.close()
            await self.leases.stop()
            try:
                await self.contexts.flush()
            except CityloomError as error:  # a full disk does not keep a node from its end
                _log.error("counters of use not kept", reason=error.detail)
            await self.outgoing.close()
            await asyncio.to_thread(self.close)

    def _enter(self, tx: Transaction) -> None:
        """Takes places in the log where nobody has: what is committed after this is seen by who follows."""
        for name in (CONSUMER, *self.case_parts.consumers()):
            if tx.cursor(name) is None:
                tx.move_cursor(name, tx.last_seq())

    def _parts(self) -> dict[str, Part]:
        """What one process alone does, by the lease that it needs for it."""
        kept = KeptUp(self.kept_up, self.upkeep, self.ageing, self.settings)
        return {
            **self.case_parts.parts(),
            "subscriptions": Together(
                start=(self.subscriptions.start, self.shared.start),
                run=(
                    self.subscriptions.run,
                    self.shared.run,
                    self.registrations.run,
                ),
            ),
            "snapshots": Together(start=(self.snapshots.start,), run=(self.snapshots.run,)),
            "feeds": Together(run=(self.feeds.run,)),
            "upkeep": Together(run=(kept.keep_up, kept.expire, kept.age, self._maps.run)),
        }

    def close(self) -> None:
        """Closes the store; every write that was taken is finished first."""
        self.store.close()

    async def _tell_written(self, tenant: str, registration: str) -> None:
        """Has every process forget what a source answered before it was written to."""

        def work(tx: Transaction) -> None:
            tx.put_document(tenant, _WRITTEN, registration, {}, _SYSTEM)

        await asyncio.wrap_future(self.store.submit(work))

    def _retention(self) -> dict[str, str]:
        """How long history is kept, by expanded type: the settings go before the profile's."""
        profile = self.profile.retention if self.profile is not None else {}
        named = {**profile, **self.settings.retention}
        return {self.ld_context.expand_term(type): duration for type, duration in named.items()}

    async def _keep_contexts(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_EVERY)
            await self.contexts.flush()

    def retaining(self) -> Upkeep:
        """Deletes what is past its retention, as a node does but under no lease: twice does no harm."""
        return Upkeep(self.store, self.clock, self._retention(), self._limits)

    async def _check_store(self) -> None:
        """Raises when the store does not answer."""

        def look(snapshot: Snapshot) -> int:
            return snapshot.last_seq()

        await asyncio.wrap_future(self.store.read(look))


def create_app(node: Node, during: _Run | None = None) -> Application:
    """The ASGI application of a node; its lifespan starts and stops what runs behind it.

    Args:
        during: runs beside all that, until it ends or the node does.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        counting = asyncio.create_task(app.metrics.keep_told())
        try:
            async with node.running():
                beside = None if during is None else asyncio.create_task(_told(during))
                try:
                    yield
                finally:
                    if beside is not None:
                        beside.cancel()
                        await asyncio.gather(beside, return_exceptions=True)
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    return Application(node.services(), lifespan)


async def _told(run: _Run) -> None:
    """What runs beside a node fails by itself: the node goes on, and says why."""
    try:
        await run()
    except CityloomError as error:
        _log.error("ended beside the node", reason=error.detail)
    except Exception:
        _log.exception("ended beside the node")
