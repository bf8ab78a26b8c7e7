"""Opening a city's database: the connection, what it must promise, the schema, and errors in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from cityloom.model.errors import ConfigurationError, StoreFailed, StoreUnreachable
from cityloom.store.migrations import Migration
from cityloom.store.postgres.statement import Types

LOCK: Final = 0x43_4C_4F_4D
"""The advisory lock of the nodes that write a database ("CLOM"): shared, or alone to change its schema."""
SCHEMA: Final = "cityloom"
CHANNEL: Final = "cityloom"
"""Where each commit says how far the log goes (LISTEN, NOTIFY)."""
OLDEST: Final = 14
_DOOR: Final = LOCK + 1
_FORM: Final = "postgresql://host/database"
_EXTENSIONS: Final = ("postgis", "btree_gist")
_CONNECT_SECONDS: Final = 10.0
_COMMAND_SECONDS: Final = 300.0
"""A server that does not answer for so long has failed what was asked."""
_DURABLE: Final = frozenset(("on", "local", "remote_write", "remote_apply"))
_AS_WRITTEN: Final = {
    "join_collapse_limit": "1",
    "from_collapse_limit": "1",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
"""The statements say which index leads and what is looked up from it: the planner follows them, whatever it
counted last. A plan that turns over when the statistics grow old costs a hundred times as much."""
OURS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises. `TimeoutError` is an `OSError`."""

AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
    OSError,
)
"""The server is away, for a while: it may be asked again, on another connection. The driver's internal
errors are among them: it is at odds with a server that ended in the middle of an answer."""

_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (asyncpg.DiskFullError, "the disk is full"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the user or password is invalid"),
    (asyncpg.InvalidCatalogNameError, "the database does not exist"),
    (asyncpg.InsufficientPrivilegeError, "the user may not do this"),
    (asyncpg.TooManyConnectionsError, "it takes no more connections"),
    (asyncpg.ReadOnlySQLTransactionError, "it is read-only"),
    (asyncpg.CannotConnectNowError, "it is starting up or shutting down"),
    (asyncpg.DataCorruptedError, "it is damaged: restore a backup"),
    (asyncpg.PostgresConnectionError, "the connection was lost"),
    (asyncpg.AdminShutdownError, "the connection was lost"),
    (asyncpg.CrashShutdownError, "the connection was lost"),
    (asyncpg.InternalClientError, "the connection was lost"),
    (asyncpg.ConnectionDoesNotExistError, "the connection was lost"),
    (TimeoutError, "it does not answer"),
    (OSError, "it cannot be reached"),
)


def store_name(url: str, field: str = "store") -> str:
    """The store as messages call it: its address without user and password.

    Args:
        field: what the address was given as.

    Raises:
        ConfigurationError: it is no address of a database.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{field} is invalid: {error}; it is to be {_FORM}") from None
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        if parts.netloc:
            shown = urlunsplit(parts._replace(netloc=host, query=""))
        else:
            access, at, rest = url.partition("?")[0].rpartition("@")
            shown = rest if not access else f"…{at}{rest}"  # a password may stand before it
        raise ConfigurationError(f"{field} is invalid: {shown} is no {_FORM}")
    return f"postgresql://{host}{parts.path}"


def without_password(url: str) -> str:
    """The address as a file may hold it."""
    parts = urlsplit(url)
    access, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=access.partition(":")[0] + at + host))


def failed(name: str, error: Exception) -> StoreFailed:
    """PostgreSQL's error (or a surprise of ours) as the house's own."""
    kind = StoreUnreachable if isinstance(error, AWAY) else StoreFailed
    return kind(f"the store {name} failed: {reason(error)}")


def reason(error: Exception) -> str:
    """Why PostgreSQL failed, in words for an operator."""
    text = " ".join(str(error).split())
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return f"{words} ({text})" if text else words
    return text if isinstance(error, (*OURS, ConfigurationError)) else repr(error)


@contextmanager
def opening(name: str) -> Iterator[None]:
    """Turns what goes wrong while a database is opened into one sentence."""
    try:
        yield
    except ConfigurationError:
        raise
    except (*OURS, ValueError) as error:
        raise ConfigurationError(f"the store {name} cannot be used: {reason(error)}") from error


async def connect(url: str, patience: float | None = _COMMAND_SECONDS) -> asyncpg.Connection:
    """A connection that sees the city's tables, and gets JSON as it is written.

    Args:
        patience: seconds that one statement may take; None: any.
    """
    connection = await asyncpg.connect(
        url,
        timeout=_CONNECT_SECONDS,
        command_timeout=patience,
        statement_cache_size=512,
        server_settings={
            "application_name": "cityloom",
            "search_path": f"{SCHEMA}, public",
            "tcp_keepalives_idle": "30",
            **_AS_WRITTEN,
        },
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=_same, decoder=_same, format="binary"
    )
    return connection


def _same(json: bytes) -> bytes:
    return json


async def take_lock(connection: asyncpg.Connection, name: str) -> None:
    """Makes this connection the only one that writes.

    Raises:
        ConfigurationError: another node has the database open.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        raise ConfigurationError(f"the store {name} is already in use: another node has it open")


async def join_writers(connection: asyncpg.Connection, name: str, steps: Sequence[Migration]) -> Types:
    """Makes this connection one of those that write, and brings the schema up when it is alone.

    Raises:
        ConfigurationError: an older version's node has the database open, or `move` fills it; or see
            `prepare`.
    """
    # One after the other, so that of nodes that start together the first makes the schema.
    await connection.execute("SELECT pg_advisory_lock($1)", _DOOR)
    try:
        if await schema_version(connection) < len(steps):
            await take_lock(connection, name)
            try:
                await prepare(connection, name, steps)
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
        if not await connection.fetchval("SELECT pg_try_advisory_lock_shared($1)", LOCK):
            raise ConfigurationError(f"the store {name} is already in use: a city is being moved into it")
        return await prepare(connection, name, steps)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _DOOR)


async def check_promises(connection: asyncpg.Connection, name: str) -> None:
    """Refuses a server that would answer a write before it is durable, or keep other texts than ours.

    Raises:
        ConfigurationError: it is too old, or one of its settings is not as it must be.
    """
    if connection.get_server_version().major < OLDEST:
        raise ConfigurationError(
            f"the store {name} cannot be used: PostgreSQL {OLDEST} or newer is required, "
            f"this is {connection.get_server_version().major}"
        )
    for setting, allowed, why in (
        ("fsync", frozenset(("on",)), "a power cut could destroy it"),
        ("full_page_writes", frozenset(("on",)), "a power cut could destroy it"),
        ("synchronous_commit", _DURABLE, "a power cut could lose what was answered"),
        ("server_encoding", frozenset(("UTF8",)), "not every text could be kept"),
    ):
        value = await connection.fetchval("SELECT current_setting($1)", setting)
        if value not in allowed:
            raise ConfigurationError(f"the store {name} cannot be used: {setting} is {value}, so that {why}")


async def prepare(connection: asyncpg.Connection, name: str, steps: Sequence[Migration]) -> Types:
    """Brings the schema to the last of `steps`, all or nothing, and tells its tables.

    Raises:
        ConfigurationError: the database is a newer version's, or lacks an extension that we may not add.
    """
    version = await schema_version(connection)
    if version > len(steps):
        raise ConfigurationError(
            f"the store {name} was written by a newer version of Cityloom: "
            f"its schema is {version}, this one knows {len(steps)}"
        )
    if version < len(steps):
        async with connection.transaction():
            for extension in _EXTENSIONS:
                await _add_extension(connection, name, extension)
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            for step in steps[version:]:
                await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO meta (key, value) VALUES ('version', $1)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                str(len(steps)),
            )
    return await _types(connection)


async def schema_version(connection: asyncpg.Connection) -> int:
    """The version of the schema; 0 where there is none."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.meta") is None:
        return 0
    return int(await connection.fetchval("SELECT value FROM meta WHERE key = 'version'"))


async def _add_extension(connection: asyncpg.Connection, name: str, extension: str) -> None:
    if await connection.fetchval("SELECT 1 FROM pg_extension WHERE extname = $1", extension):
        return
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE EXTENSION {extension} SCHEMA public")
    except asyncpg.PostgresError as error:
        raise ConfigurationError(
            f"the store {name} cannot be used: it lacks the extension {extension}; "
            f"an administrator adds it with: CREATE EXTENSION {extension} ({reason(error)})"
        ) from error


async def _types(connection: asyncpg.Connection) -> Types:
    rows: list[Any] = await connection.fetch(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS type"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY c.relname, a.attnum",
        SCHEMA,
    )
    types: dict[str, dict[str, str]] = {}
    for table, column, type in rows:
        types.setdefault(table, {})[column] = type
    return types
