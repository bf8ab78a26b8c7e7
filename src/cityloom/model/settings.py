"""One frozen `Settings`: built once by the command line and passed down.

Every field has a default, a unit and a help text; `docs/settings.md` is
generated from them by `describe` and a test checks that it is true. A city
sets them under `settings:` in its `city.yaml`.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct


def _setting(unit: str, text: str, ge: float | None = None) -> Meta:
    return Meta(description=text, extra={"unit": unit}, ge=ge)


class Settings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Everything about a node that an operator may change."""

    # Where the node is
    host: Annotated[str, _setting("address", "Address to listen on; any but loopback needs API keys.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, _setting("port", "Port to listen on.", ge=0)] = 8026
    public_read: Annotated[
        bool,
        _setting(
            "yes/no", "Anyone may read entities, history, lineage, maps and sources without an API key."
        ),
    ] = False
    public_report: Annotated[
        bool,
        _setting("yes/no", "Anyone may report a case, with photos, and see its status without an API key."),
    ] = False
    require_key: Annotated[bool, _setting("yes/no", "Ask for an API key on loopback too.")] = False
    public_url: Annotated[
        str, _setting("URL", "How others reach this node, where a proxy stands before it.")
    ] = ""
    trusted_proxies: Annotated[
        list[str],
        _setting(
            "addresses or networks",
            "Proxies whose header X-Forwarded-For says from which address a report without an API key comes.",
        ),
    ] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1"])

    store: Annotated[
        str,
        _setting(
            "URL",
            "The PostgreSQL database that keeps the city (postgresql://user@host/database); "
            "empty: the file cityloom.sqlite in the city's folder.",
        ),
    ] = ""

    replicas: Annotated[
        list[str],
        _setting("URLs", "Standbys of that database, which are read as far as they have caught up."),
    ] = []

    # Several processes
    workers: Annotated[
        int, _setting("processes", "Processes that answer (`serve --workers`), on one machine.", ge=1)
    ] = 1
    lease: Annotated[
        float,
        _setting(
            "seconds",
            "Silence after which a process counts as gone, and another does what it alone did; "
            "the same on every node of a city.",
            ge=0.5,
        ),
    ] = 6.0

    # Limits of what comes in
    max_body_bytes: Annotated[int, _setting("bytes", "Largest body of a request.", ge=1)] = 32 * 1024 * 1024
    max_head_bytes: Annotated[
        int, _setting("bytes", "Largest head of a request: its line and headers.", ge=1024)
    ] = 128 * 1024
    request_timeout: Annotated[
        float, _setting("seconds", "Time in which a request must have come in whole.", ge=0.01)
    ] = 60.0
    answer_timeout: Annotated[
        float,
        _setting("seconds", "Time in which a client must take some of its answer (4 kB a second).", ge=0.01),
    ] = 60.0
    max_connections: Annotated[
        int, _setting("connections", "Most open connections; the next ones get 503.", ge=1)
    ] = 10_000
    max_requests: Annotated[
        int, _setting("requests", "Most requests under way at once; the next ones get 503.", ge=1)
    ] = 5000
    max_held_bytes: Annotated[
        int,
        _setting("bytes", "Bodies under way and answers not yet taken, all together; beyond: 503.", ge=1),
    ] = 256 * 1024 * 1024
    max_values: Annotated[int, _setting("values", "Most JSON values in a body.", ge=1)] = 2_000_000
    max_depth: Annotated[int, _setting("levels", "Deepest nesting of JSON.", ge=1)] = 64
    max_batch: Annotated[int, _setting("entities", "Most entities of a batch.", ge=1)] = 10_000
    max_attributes: Annotated[
        int, _setting("instances", "Most attribute instances, types or scopes of an entity.", ge=1)
    ] = 10_000
    max_string: Annotated[int, _setting("characters", "Longest string in an entity.", ge=1)] = 1_000_000
    max_url: Annotated[int, _setting("characters", "Longest URL or id.", ge=1)] = 8_192
    max_vertices: Annotated[int, _setting("vertices", "Most vertices of one geometry.", ge=1)] = 200_000
    max_query: Annotated[int, _setting("characters", "Longest q, scopeQ or geometry in a query.", ge=1)] = (
        65_536
    )

    max_photo_bytes: Annotated[int, _setting("bytes", "Largest photo of a case.", ge=1)] = 12 * 1024 * 1024
    max_photo_pixels: Annotated[
        int, _setting("pixels", "Most pixels of a photo, known before it is unpacked.", ge=1)
    ] = 50_000_000

    # Reports without an API key, where anyone may report (`publicReport`)
    reports_per_source: Annotated[
        int, _setting("reports an hour", "Most that come without an API key from one address.", ge=1)
    ] = 20
    reports_at_once: Annotated[
        int, _setting("reports", "How many of these may come one right after the other.", ge=1)
    ] = 5
    reports_in_all: Annotated[
        int,
        _setting(
            "reports an hour", "Most that come without an API key from all together, a quarter at once.", ge=1
        ),
    ] = 600
    photos_per_report: Annotated[
        int,
        _setting("photos", "Photos that may come without an API key for each report that may.", ge=1),
    ] = 3

    # Limits of what is answered
    page_default: Annotated[int, _setting("entities", "Page size when none is asked.", ge=1)] = 20
    page_max: Annotated[int, _setting("entities", "Largest page that may be asked.", ge=1)] = 1000
    items_default: Annotated[
        int, _setting("features", "Features of a collection answered when no number is asked.", ge=1)
    ] = 100
    items_max: Annotated[int, _setting("features", "Most features of a collection in one answer.", ge=1)] = (
        200_000
    )
    temporal_default: Annotated[
        int,
        _setting("instances", "Instances of a temporal answer that asked for no number (206 beyond).", ge=1),
    ] = 30
    temporal_max: Annotated[
        int, _setting("instances", "Most instances of a temporal answer that asked for a number.", ge=1)
    ] = 10_000
    max_listeners: Annotated[
        int, _setting("streams", "Most open streams of live changes; a page holds one.", ge=1)
    ] = 5000

    # The writer
    queue_items: Annotated[int, _setting("writes", "Writes waiting before new ones get 503.", ge=1)] = 10_000
    queue_bytes: Annotated[int, _setting("bytes", "Bytes of waiting writes before 503.", ge=1)] = (
        64 * 1024 * 1024
    )

    # The log and history
    log_keep: Annotated[
        int, _setting("events", "Events kept behind the slowest consumer, for pages that reconnect.", ge=0)
    ] = 100_000
    retention: Annotated[
        dict[str, str],
        _setting(
            "ISO 8601 duration by type", "How long history is kept, or up to 1 % longer; others: for ever."
        ),
    ] = {}
    cold_after: Annotated[
        str,
        _setting(
            "ISO 8601 duration",
            "Age at which history moves from the store to Delta Lake tables; empty: never.",
        ),
    ] = ""
    cold_url: Annotated[
        str,
        _setting(
            "folder or URL",
            "Where these tables are (`s3://…`), one place for all nodes; empty: the city's folder `history`.",
        ),
    ] = ""
    cold_keep: Annotated[
        int, _setting("hours", "How long files of the tables that are read no more are kept.", ge=0)
    ] = 168

    # Outgoing calls
    out_allow_loopback: Annotated[
        bool | None, _setting("yes/no", "May call loopback; unset: yes when the node listens on loopback.")
    ] = None
    out_allow_private: Annotated[
        bool, _setting("yes/no", "May call private addresses (10/8, 172.16/12, 192.168/16, fc00::/7).")
    ] = False
    out_allow_hosts: Annotated[
        list[str], _setting("host names", "When not empty, the only hosts that may be called.")
    ] = []
    out_connections: Annotated[
        int, _setting("connections", "Outgoing calls at once, of all kinds together.", ge=1)
    ] = 1000
    out_timeout: Annotated[float, _setting("seconds", "Longest outgoing call.", ge=0.01)] = 10.0
    out_max_bytes: Annotated[int, _setting("bytes", "Largest answer of an outgoing call.", ge=1)] = (
        4 * 1024 * 1024
    )

    # Context sources
    source_timeout: Annotated[
        float, _setting("seconds", "Longest wait for a registered context source.", ge=0.01)
    ] = 5.0
    source_entities: Annotated[
        int, _setting("entities", "Most entities that a query takes from one context source.", ge=1)
    ] = 10_000
    split_entities: Annotated[
        bool,
        _setting(
            "yes/no", "One entity may lie in several context sources at once; no: each has it whole or not."
        ),
    ] = True

    # Entity maps
    entity_maps: Annotated[
        int, _setting("maps", "Most entity maps kept at once; the longest unused goes first.", ge=1)
    ] = 1000
    entity_map_ids: Annotated[
        int, _setting("entities", "Most entities in all entity maps together, and so in one.", ge=1)
    ] = 1_000_000
    entity_map_lifetime: Annotated[
        float, _setting("seconds", "How long an entity map lives when nobody says.", ge=1)
    ] = 300.0
    entity_map_lifetime_max: Annotated[
        float, _setting("seconds", "Longest life of an entity map that a request may suggest.", ge=1)
    ] = 86_400.0

    # Snapshots
    snapshots: Annotated[
        int, _setting("snapshots", "Most snapshots kept at once; one of a lower priority gives way.", ge=1)
    ] = 20
    snapshot_entities: Annotated[int, _setting("entities", "Most entities of a snapshot.", ge=1)] = 100_000
    snapshot_lifetime: Annotated[
        float, _setting("seconds", "How long a snapshot is kept when nobody says.", ge=1)
    ] = 86_400.0
    snapshot_lifetime_max: Annotated[
        float, _setting("seconds", "Longest life of a snapshot that may be asked for.", ge=1)
    ] = 2_592_000.0

    # Notifications
    notify_attempts: Annotated[
        int, _setting("attempts", "Tries before a notification becomes a dead letter.", ge=1)
    ] = 8
    notify_backoff: Annotated[
        float, _setting("seconds", "Wait before the second try; doubles each time.", ge=0.01)
    ] = 1.0
    notify_backoff_max: Annotated[float, _setting("seconds", "Longest wait between tries.", ge=0.01)] = 3600.0
    notify_per_endpoint: Annotated[
        int, _setting("calls", "Notifications under way at once to one endpoint.", ge=1)
    ] = 4
    notify_waiting: Annotated[
        int,
        _setting(
            "notifications",
            "Most that wait for one endpoint (0.5 kB of memory each); the next ones become dead letters.",
            ge=1,
        ),
    ] = 100_000

    notify_dead: Annotated[
        int, _setting("notifications", "Most dead letters that are kept; beyond, the oldest go.", ge=1)
    ] = 100_000
    notify_dead_keep: Annotated[int, _setting("hours", "How long a dead letter is kept.", ge=1)] = 720

    # Logs
    log_level: Annotated[str, _setting("level", "debug, info, warning or error.")] = "info"
    log_json: Annotated[
        bool | None, _setting("yes/no", "Log lines as JSON; unset: when the output is no terminal.")
    ] = None

    def __post_init__(self) -> None:
        for index, text in enumerate(self.trusted_proxies):
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(f"trustedProxies[{index}] is invalid: {error}") from None

    @property
    def loopback(self) -> bool:
        """Whether the node listens on loopback only."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def open_node(self) -> bool:
        """Whether everyone may do everything: who reaches loopback, unless keys are asked for there, too."""
        return self.loopback and not self.require_key

    @property
    def url(self) -> str:
        """How others reach this node, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"


def read_settings(values: dict[str, Any]) -> Settings:
    """Settings from plain values with camelCase names.

    Raises:
        msgspec.ValidationError: an unknown name or a wrong kind, naming the place.
    """
    return msgspec.convert(values, Settings)


def describe() -> list[tuple[str, str, str, str]]:
    """(name, default, unit, help) of every setting, in order: what `docs/settings.md` is made of."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        meta = next(part for part in get_args(hints[field.name]) if isinstance(part, Meta))
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        extra = meta.extra or {}
        rows.append(
            (field.encode_name, msgspec.json.encode(default).decode(), extra["unit"], meta.description or "")
        )
    return rows
