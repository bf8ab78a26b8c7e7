"""What a node opens first: its store, its way out, and what its profile's names mean."""

from __future__ import annotations

from cityloom.connect.profile import Profile
from cityloom.folder import CityFolder
from cityloom.ld.context import LdContext, compile_context
from cityloom.model.clock import Clock
from cityloom.model.errors import ConfigurationError, OutgoingRefused
from cityloom.model.settings import Settings
from cityloom.net.client import OutgoingSettings
from cityloom.store.ports import Store
from cityloom.store.postgres import PostgresStore
from cityloom.store.sqlite import SqliteStore


def outgoing_settings(settings: Settings) -> OutgoingSettings:
    """How far the city reaches out, as its settings say."""
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


def refuse_idle(settings: Settings) -> None:
    """Refuses settings that would have no effect where the city is kept.

    Raises:
        ConfigurationError: standbys are set, and the city is in a file.
    """
    if settings.replicas and not settings.store:
        raise ConfigurationError(
            "replicas is invalid: the city is in a file, which has no standbys; "
            "name the database that they follow (setting store), or leave replicas out"
        )


def open_store(folder: CityFolder, settings: Settings, clock: Clock, *, shared: bool) -> Store:
    """The database that the settings name, or the folder's own file.

    Raises:
        ConfigurationError: it cannot be used, or standbys are set of a city in a file.
    """
    refuse_idle(settings)
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


def profile_context(profile: Profile | None) -> LdContext:
    """What the names in a profile's mappings mean: its own @context over the core, nothing remote."""
    if profile is None or profile.context is None:
        return LdContext.core

    def nothing_remote(url: str) -> object:
        raise OutgoingRefused(f"the context of profile {profile.name!r} names {url}; it must be whole")

    return compile_context(profile.context, nothing_remote)
