"""The only place that builds and wires: a `Node` from a city's folder, and the web application over it.

Nothing here decides anything about entities, subscriptions or sources; it
makes the rooms, hands each the ports that it asked for, and starts and stops
what runs in the background.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from cityloom.access.keys import CITY, KeyAccess, Keys
from cityloom.broker.ageing import Ageing
from cityloom.broker.door import Limits
from cityloom.broker.ports import Call
from cityloom.broker.upkeep import Upkeep
from cityloom.caseopening import OpenedCases
from cityloom.casereplay import EvaluationScores, ReplayedCases, recorded_cases
from cityloom.caserules import CaseTables, RuledCases
from cityloom.cases.alerts import SURGE
from cityloom.cases.city import CaseRules, load_rules
from cityloom.cases.files import EvidenceFiles
from cityloom.cases.following import CasesFollowed
from cityloom.cases.insights import insights_of
from cityloom.cases.kept import CASE
from cityloom.cases.kept import ROOM as CASES_ROOM
from cityloom.cases.places import Places
from cityloom.cases.service import Cases
from cityloom.cases.surging import CONSUMER as SURGES
from cityloom.cases.surging import SurgesFollowed
from cityloom.connect.feeds import Feeds
from cityloom.connect.mapping import Mapping as SourceMapping
from cityloom.connect.profile import Profile, load_profile
from cityloom.connect.run import Importer
from cityloom.connect.sources import Sources
from cityloom.connect.work import Target
from cityloom.consumers.failures import Failures
from cityloom.consumers.lease import Leases, Part, Together
from cityloom.consumers.timers import Timers
from cityloom.consumers.views import Views
from cityloom.federation.broker import FederatedBroker
from cityloom.federation.entity_maps import CONSUMER as MAPS
from cityloom.federation.entity_maps import forget_expired
from cityloom.federation.following import RegistrationsFollowed
from cityloom.federation.forward import Forwarder
from cityloom.federation.identity import node_alias
from cityloom.federation.service import Registrations
from cityloom.federation.sharing import SharedWithSources
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.contexts import Contexts, ContextSettings
from cityloom.ld.kept import DOCUMENT_KIND
from cityloom.ld.limits import limits_of
from cityloom.model.clock import Clock, SystemClock
from cityloom.model.errors import CityloomError, OutgoingRefused, Unauthorized
from cityloom.model.events import Cause
from cityloom.model.settings import Settings
from cityloom.net.client import Outgoing, OutgoingSettings
from cityloom.rules.jobs import Replays
from cityloom.rules.kept import Rules
from cityloom.rules.past import OpeningPast
from cityloom.rules.watch import CONSUMER as RULES
from cityloom.rules.watch import OpeningWatch
from cityloom.snapshots.service import Snapshots
from cityloom.store.ports import Snapshot, Store, Transaction
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore
from cityloom.subscriptions.document import CONSUMER, COUNTERS, SUBSCRIPTION
from cityloom.subscriptions.service import Subscriptions
from cityloom.web.problem import problem_of
from cityloom.web.routes import Application
from cityloom.web.services import City, Services
from cityloom.web.snapshots import read_queries

_log = structlog.get_logger("app")
_Run = Callable[[], Awaitable[None]]
_WRITTEN = "sourceWritten"
"""The kind of document whose change says that something was written at a registered source."""
_SYSTEM = Cause(kind="system", id="system:sources", operation="sourceWritten")
_UPKEEP_EVERY = 60.0
"""Seconds between two rounds of retention and trimming of the log."""
_EXPIRY_EVERY = 1.0
"""Seconds between two looks for transient entities that expired: who is told of it hears it so much later."""
_WELL_AFTER = 60.0
"""Seconds after which a background part that fails had been well."""
_AGE_EVERY = 3600.0
"""Seconds between two looks for history that is old enough to move."""


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
        self._case_rules: CaseRules | None = None
        if folder.profile:
            loaded = load_profile(folder.profile)
            self.profile, self.mappings = loaded.profile, loaded.mappings
            if loaded.cases_file is not None:
                self._case_rules = load_rules(loaded.cases_file)
        self.ld_context = _profile_context(self.profile)
        self.keys = Keys(folder.keys_file, self.clock)
        self.access = KeyAccess(
            self.keys,
            open_node=settings.loopback and not settings.require_key,
            public_read=settings.public_read,
            public_report=settings.public_report,
        )
        self.store = open_store(folder, settings, self.clock, shared=worker is not None)
        self.views = Views(self.store)
        self.leases = Leases(self.store, self.clock, settings.lease, enter=self._enter)
        self.outgoing = Outgoing(_outgoing_settings(settings))
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

        self._zone = ZoneInfo(self.profile.time_zone if self.profile is not None else "UTC")
        self._tables = self._case_tables()
        self.rules = Rules(
            self.store,
            self.access,
            self.clock,
            zone=self._zone,
            base=() if self._tables is None else self._tables.base,
            checks=self._tables,
        )
        self.cases, self._cases_followed = self._make_cases()
        self.case_insights = (
            None if self.cases is None else insights_of(self.store, self.access, self.clock, self.cases.book)
        )
        self._surges = (
            None
            if self._case_rules is None
            else SurgesFollowed(
                self.leases.fenced("surges"), self.clock, self._case_rules, self.city().center
            )
        )
        self.rule_replays = self._make_replays()
        self._openings = self._make_openings()

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

    def _make_cases(self) -> tuple[Cases | None, CasesFollowed | None]:
        """The cases of the city, and what runs behind them; None where its profile tells nothing of them."""
        rules, settings = self._case_rules, self.settings
        if rules is None:
            return None, None
        files = EvidenceFiles(
            self.folder.evidence,
            most_bytes=settings.max_photo_bytes,
            most_pixels=settings.max_photo_pixels,
        )
        places = Places(rules.areas, self.ld_context.expand_term)
        cases = Cases(
            self.store,
            self.access,
            self.clock,
            rules,
            parties=self.access,
            files=files,
            places=places,
            ruled=None if self._tables is None else RuledCases(self._tables, self.rules),
        )
        followed = CasesFollowed(
            self.store, self.clock, cases.book, cases.timer_set, self.leases.fenced("cases")
        )
        return cases, followed

    def _case_tables(self) -> CaseTables | None:
        """What decision tables of cases must fit; None where the city has no cases."""
        rules = self._case_rules
        return None if rules is None else CaseTables(rules.workflow, rules.limits, rules.departments)

    def _make_replays(self) -> Replays:
        """Replays of rules over the past, scored as the city scores its cases."""
        rules, tables = self._case_rules, self._tables
        past, scoring = None, None
        if rules is not None and tables is not None:
            past = ReplayedCases(
                rules.workflow, tables, rules.calendar, self._zone, recorded_cases, readings=True
            )
            scoring = EvaluationScores(rules.evaluation, rules.workflow, rules.calendar, self.clock)
        openings = OpeningPast(expand=self.ld_context.expand_term, zone=self._zone, centre=self.city().center)
        return Replays(
            self.store,
            self.access,
            self.clock,
            self.rules,
            openings=openings,
            cases=past,
            scoring=scoring,
        )

    def _make_openings(self) -> OpeningWatch | None:
        """What watches the live picture by opening rules; None where the city has no cases."""
        if self.cases is None:
            return None
        return OpeningWatch(
            self.leases.fenced("rules"),
            self.clock,
            self.rules,
            OpenedCases(self.cases.book, self.cases.places, self.cases.timer_set),
            expand=self.ld_context.expand_term,
            centre=self.city().center,
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
            cases=self.cases,
            case_insights=self.case_insights,
            rules=self.rules,
            rule_replays=self.rule_replays,
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
        if self._cases_followed is not None:
            self._cases_followed.prepare()

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
            asyncio.create_task(self._kept_running(name, run))
            for name, run in (
                ("leases", self.leases.run),
                ("views", self.views.run),
                ("counters", self.registrations.keep_counting),
                ("contexts", self._keep_contexts),
                *(() if self.cases is None else (("suggestions", self.cases.suggestions.run),)),
            )
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.rule_replays.close()
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
        for name in (
            (CONSUMER, CASES_ROOM, RULES, SURGES) if self._cases_followed is not None else (CONSUMER,)
        ):
            if tx.cursor(name) is None:
                tx.move_cursor(name, tx.last_seq())

    def _parts(self) -> dict[str, Part]:
        """What one process alone does, by the lease that it needs for it."""
        cases, openings, surges = self._cases_followed, self._openings, self._surges
        return {
            **({} if cases is None else {"cases": Together(start=(cases.start,), run=(cases.run,))}),
            **({} if openings is None else {"rules": Together(start=(openings.start,), run=(openings.run,))}),
            **({} if surges is None else {"surges": Together(start=(surges.start,), run=(surges.run,))}),
            "replays": Together(start=(self.rule_replays.start,), run=(_for_ever,)),
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
            "upkeep": Together(run=(self._keep_up, self._expire, self._age, self._maps.run)),
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

    async def _kept_running(self, name: str, run: _Run) -> None:
        """A background part that fails is told and begun again: the node goes on."""
        failures = Failures("background part failed", part=name)
        while True:
            begun = time.monotonic()
            try:
                await run()
            except Exception as error:
                if time.monotonic() - begun > _WELL_AFTER:
                    failures.well()
                await asyncio.sleep(failures.failed(error))

    async def _keep_contexts(self) -> None:
        while True:
            await asyncio.sleep(_UPKEEP_EVERY)
            await self.contexts.flush()

    async def _expire(self) -> None:
        while True:
            gone = await self.upkeep.expire_entities()
            if gone:
                _log.info("expiry", entities=gone)
            await asyncio.sleep(_EXPIRY_EVERY)

    def retaining(self) -> Upkeep:
        """Deletes what is past its retention, as a node does but under no lease: twice does no harm."""
        return Upkeep(self.store, self.clock, self._retention(), self._limits)

    async def _keep_up(self) -> None:
        while True:
            instances = await self.upkeep.expire_history()
            trimmed = 0
            while gone := await asyncio.wrap_future(self.kept_up.submit(self._trim)):
                trimmed += gone
            if instances or trimmed:
                _log.info("upkeep", instances=instances, events=trimmed)
            await asyncio.sleep(_UPKEEP_EVERY)

    async def _age(self) -> None:
        while self.ageing.before is not None:
            done = await asyncio.to_thread(self.ageing.run_once)
            if done.moved or done.compacted:
                _log.info("cold history", moved=done.moved, compacted=done.compacted, removed=done.removed)
            await asyncio.sleep(_AGE_EVERY)
        await asyncio.Event().wait()

    def _trim(self, tx: Transaction) -> int:
        return tx.trim_log(self.settings.log_keep)

    async def _check_store(self) -> None:
        """Raises when the store does not answer."""

        def look(snapshot: Snapshot) -> int:
            return snapshot.last_seq()

        await asyncio.wrap_future(self.store.read(look))


async def _for_ever() -> None:
    await asyncio.Event().wait()


def create_app(node: Node) -> Application:
    """The ASGI application of a node; its lifespan starts and stops what runs behind it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        counting = asyncio.create_task(app.metrics.keep_told())
        try:
            async with node.running():
                yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    return Application(node.services(), lifespan)


def _outgoing_settings(settings: Settings) -> OutgoingSettings:
    loopback = settings.out_allow_loopback
    return OutgoingSettings(
        allow_loopback=settings.loopback if loopback is None else loopback,
        allow_private=settings.out_allow_private,
        allow_hosts=tuple(settings.out_allow_hosts),
        total_timeout=settings.out_timeout,
        max_connections=settings.out_connections,
        max_bytes=settings.out_max_bytes,
        max_url=settings.max_url,
    )


def open_store(folder: CityFolder, settings: Settings, clock: Clock, *, shared: bool) -> Store:
    """The database that the settings name, or the folder's own file."""
    items, size = settings.queue_items, settings.queue_bytes
    if settings.store:
        return PostgresStore(
            settings.store,
            clock,
            queue_items=items,
            queue_bytes=size,
            replicas=settings.replicas,
            cold=folder.cold_place(settings),
        )
    return SqliteStore(
        folder.store_file,
        clock,
        queue_items=items,
        queue_bytes=size,
        cold=folder.cold_place(settings),
        shared=shared,
    )


def _profile_context(profile: Profile | None) -> LdContext:
    """What the names in a profile's mappings mean: its own @context over the core, nothing remote."""
    if profile is None or profile.context is None:
        return LdContext.core

    def nothing_remote(url: str) -> object:
        raise OutgoingRefused(f"the context of profile {profile.name!r} names {url}; it must be whole")

    return compile_context(profile.context, nothing_remote)
