"""A mapping: one YAML file that says how the rows of one source become entities.

The format is described in docs/mappings.md; the structs below are its truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from cityloom.connect.datum import shifted_crs
from cityloom.connect.template import Template
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.model.time import parse_duration
from cityloom.yamlfile import convert, load_yaml

Format = Literal[
    "csv", "parquet", "geojson", "shapefile", "geopackage", "gtfs", "gtfs-realtime", "json", "mqtt", "push"
]
_HAVE_OWN_CRS = ("shapefile", "geopackage")
NO_ATTRIBUTES = ("id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt")
REALTIME_LAYERS = ("vehicles", "tripUpdates", "alerts")


class EntityPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which entity a row is: `id` with `{column}` placeholders, its type or types, its scope or scopes."""

    id: str
    type: str | list[str]
    scope: str | list[str] = []

    @property
    def types(self) -> list[str]:
        """The types as a list."""
        return [self.type] if isinstance(self.type, str) else self.type

    @property
    def scopes(self) -> list[str]:
        """The scopes as a list."""
        return [self.scope] if isinstance(self.scope, str) else self.scope


class GeometryPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where a row lies: two columns, the reader's geometry, or one fixed point [lon, lat]."""

    lon: str | None = None
    lat: str | None = None
    from_: str | None = field(name="from", default=None)
    point: tuple[float, float] | None = None


class WithinPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A join by place: the entity of `type` whose area holds the row's point becomes `attribute`."""

    type: str
    attribute: str


class AttributePart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How one attribute of a row is made; exactly one of the first seven keys says from what.

    The others shape the value: see docs/mappings.md.
    """

    from_: str | None = field(name="from", default=None)
    value: Any | UnsetType = UNSET
    text: str | None = None
    language: dict[str, str] | None = None
    relationship: str | None = None
    object: dict[str, str] | None = None
    json: str | None = None

    attribute: str | None = None
    number: bool = False
    boolean: bool = False
    datetime: bool | str = False
    date: bool | str = False
    vocab: bool = False
    split: str | None = None
    map: dict[str, Any] | None = None
    empty: list[Any] = []
    scale: float | None = None
    offset: float | None = None
    unit_code: str | None = None
    observed_at: str | None = None
    dataset_id: str = ""
    optional: bool = True

    def columns(self) -> Iterator[str]:
        """The columns that it reads."""
        if self.from_ is not None:
            yield self.from_
        if self.json is not None:
            yield self.json
        for template in (self.text, self.relationship):
            if template is not None:
                yield from Template(template, uri=False).columns
        for named in (self.language, self.object):
            if named is not None:
                yield from named.values()

    @property
    def constant(self) -> bool:
        """Whether every row gives the same."""
        return next(self.columns(), None) is None


class LivedPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a row came about in time, where one row tells of a thing from its beginning to its end.

    `begun` and `ended` are attributes that hold times; `at_end` those that nobody knew before the end, and
    `before` what others were until then.
    """

    begun: str
    ended: str
    at_end: list[str] = []
    before: dict[str, Any] = {}


class Mapping(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How the rows of one source become entities.

    `expected_interval` and `every` are ISO 8601 durations; `interval` and
    `poll` give them in microseconds. `file` and `digest` (SHA-256 of the text)
    are filled by `load_mapping`.
    """

    source: str
    title: str | dict[str, str] = ""
    format: Format
    path: str = ""
    url: str = ""
    topic: str = ""
    broker: str = ""
    every: str = "PT30S"
    licence: str = ""
    provider: str = ""
    expected_interval: str = ""
    time_zone: str = ""
    stamp_format: str = ""
    layer: str = ""
    crs: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    entity: EntityPart
    geometry: GeometryPart | None = None
    no_place: list[tuple[float, float]] = []
    attributes: dict[str, AttributePart] = {}
    observed_at: str | None = None
    series: bool = False
    update: Literal["merge", "replace"] = "merge"
    personal: list[str] = []
    require: list[str] = []
    within: WithinPart | None = None
    lived: LivedPart | None = None
    empty: list[Any] = []
    file: str = ""
    digest: str = ""

    @property
    def interval(self) -> int | None:
        """The expected interval in microseconds, if there is one."""
        return _micros(self.expected_interval) if self.expected_interval else None

    @property
    def poll(self) -> int:
        """How long a feed waits between two looks at its url, in microseconds."""
        return _micros(self.every)

    @property
    def is_live(self) -> bool:
        """Whether its data come while the node runs (a url, a topic, pushes), not from files."""
        return bool(self.url or self.topic) or self.format == "push"

    def needed_columns(self) -> list[str]:
        """Columns without which no row can become an entity."""
        columns = list(Template(self.entity.id, uri=True).columns) + self.require
        if self.geometry is not None and self.geometry.lon and self.geometry.lat:
            columns += [self.geometry.lon, self.geometry.lat]
        if self.series and self.observed_at:
            columns.append(self.observed_at)
        return list(dict.fromkeys(columns))

    def columns(self) -> list[str]:
        """Every column that it reads."""
        columns = self.needed_columns() + self.personal
        if self.observed_at:
            columns.append(self.observed_at)
        for part in self.attributes.values():
            columns += part.columns()
            if part.observed_at:
                columns.append(part.observed_at)
        return list(dict.fromkeys(columns))


def _micros(duration: str) -> int:
    months, micros = parse_duration(duration)
    if months or micros <= 0:
        raise BadRequestData(f"{duration!r} must be a length of days, hours, minutes or seconds above zero")
    return micros


def load_mapping(path: Path, defaults: dict[str, str] | None = None) -> Mapping:
    """Reads one mapping.

    Args:
        path: a YAML file.
        defaults: `timeZone` and `crs` of the profile, for a mapping that names none.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    values = load_yaml(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return mapping_of(values, str(path), defaults or {}, digest)


def mapping_of(
    values: dict[str, Any], file: str, defaults: dict[str, str] | None = None, digest: str = ""
) -> Mapping:
    """A mapping from plain values; `file` is what its errors call it.

    Raises:
        ConfigurationError: as `load_mapping`.
    """
    values = {**(defaults or {}), **values}
    if values.get("format") in _HAVE_OWN_CRS and defaults and values.get("crs") == defaults.get("crs"):
        values.pop("crs", None)
    for computed in ("file", "digest"):
        if computed in values:
            raise ConfigurationError(f"{file}: {computed} is invalid: unknown key")
    raw = values.pop("attributes", {}) or {}
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{file}: attributes is invalid: it must be an object of attributes")
    attributes = {}
    for name, part in raw.items():
        if isinstance(part, str):
            part = {"from": part}
        attributes[name] = convert(part, AttributePart, file, f"attributes.{name}")
    mapping = msgspec.structs.replace(
        convert(values, Mapping, file, ""), attributes=attributes, file=file, digest=digest
    )
    _check(mapping)
    return mapping


def _check(mapping: Mapping) -> None:
    def wrong(place: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{mapping.file}: {place} is invalid: {problem}")

    if not mapping.source or not all(c.isalnum() or c in "-_." for c in mapping.source):
        raise wrong("source", "only letters, digits, '-', '_' and '.' may name a source")
    for place, text in (("id", mapping.entity.id), *_relationships(mapping)):
        template = Template(text, uri=True)
        if template.broken:
            raise wrong(place, f"{text!r} has a brace without its partner")
        if not _looks_like_uri(template.prefix):
            raise wrong(place, f"{text!r} must begin as a URI, for example urn:ngsi-ld:Type:{{column}}")
    if not mapping.entity.types or not all(mapping.entity.types):
        raise wrong("entity.type", "at least one type is required")
    for name, zone in (("timeZone", mapping.time_zone),):
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise wrong(name, f"{zone!r} is no time zone of the IANA database") from None
    for name, duration in (("expectedInterval", mapping.expected_interval), ("every", mapping.every)):
        try:
            _micros(duration or "PT1S")
        except BadRequestData as error:
            raise wrong(name, error.detail) from None
    if mapping.crs:
        _check_crs(mapping.crs, wrong)
    _check_format(mapping, wrong)
    _check_geometry(mapping, wrong)
    if mapping.series and not mapping.observed_at:
        raise wrong("observedAt", "it is required where series is true")
    if mapping.series and mapping.update == "replace":
        raise wrong("update", "a series is added to, it does not replace")
    if mapping.expected_interval and mapping.update == "replace":
        raise wrong(
            "update", "replace does not go with expectedInterval: it would remove the mark of silence"
        )
    if mapping.lived is not None:
        _check_lived(mapping, mapping.lived, wrong)
    for name, part in mapping.attributes.items():
        if (part.attribute or name) in NO_ATTRIBUTES:
            raise wrong(f"attributes.{name}", "this is a member of the entity, not an attribute")
        _check_attribute(f"attributes.{name}", part, wrong)


def _relationships(mapping: Mapping) -> Iterator[tuple[str, str]]:
    for name, part in mapping.attributes.items():
        if part.relationship is not None:
            yield f"attributes.{name}.relationship", part.relationship


def _looks_like_uri(prefix: str) -> bool:
    scheme, colon, rest = prefix.partition(":")
    return bool(colon and scheme and scheme[0].isalpha() and scheme.replace("+", "").isalnum()) and (
        scheme != "urn" or bool(rest)
    )


def _check_crs(crs: str, wrong: Any) -> None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if shifted_crs(crs) is not None:
        return
    try:
        CRS.from_user_input(crs)
    except CRSError:
        raise wrong("crs", f"{crs!r} is no coordinate reference system that PROJ knows") from None


def _check_format(mapping: Mapping, wrong: Any) -> None:
    ways = [name for name in ("path", "url", "topic") if getattr(mapping, name)]
    if mapping.format == "mqtt":
        if ways != ["topic"] or not mapping.broker:
            raise wrong("topic", "format mqtt needs topic and broker (mqtt://host:port) and nothing else")
    elif mapping.format == "push":
        if ways:
            raise wrong(ways[0], "format push takes what is sent to it and needs no place to read from")
    elif not ways or "topic" in ways:
        raise wrong("path", f"format {mapping.format} needs a path (or a url to follow)")
    if mapping.format == "gtfs-realtime" and mapping.layer not in REALTIME_LAYERS:
        raise wrong("layer", f"format gtfs-realtime has the layers {', '.join(REALTIME_LAYERS)}")
    if mapping.format == "gtfs" and not mapping.layer:
        raise wrong("layer", "format gtfs needs the name of a table, for example stops")
    if len(mapping.delimiter) != 1:
        raise wrong("delimiter", "it must be one character")
    if mapping.path and (Path(mapping.path).is_absolute() or ".." in Path(mapping.path).parts):
        raise wrong("path", "it must lie below the data folder")
    try:
        "".encode(mapping.encoding)
    except LookupError:
        raise wrong("encoding", f"{mapping.encoding!r} is no encoding") from None


def _check_geometry(mapping: Mapping, wrong: Any) -> None:
    part = mapping.geometry
    if part is None:
        return
    ways = [part.lon is not None or part.lat is not None, part.from_ is not None, part.point is not None]
    if sum(ways) != 1 or (part.lon is None) != (part.lat is None):
        raise wrong("geometry", "it needs lon and lat, or from, or point, and only one of them")


def _check_lived(mapping: Mapping, lived: LivedPart, wrong: Any) -> None:
    if mapping.series:
        raise wrong("lived", "the rows of a series have one time each")
    for place, name in (("begun", lived.begun), ("ended", lived.ended)):
        part = mapping.attributes.get(name)
        if part is None or not part.datetime:
            raise wrong(f"lived.{place}", f"{name!r} is no attribute with datetime")
    for name in (*lived.at_end, *lived.before):
        if name not in mapping.attributes:
            raise wrong("lived", f"{name!r} is no attribute of this mapping")


def _check_attribute(place: str, part: AttributePart, wrong: Any) -> None:
    heads = {
        "from": part.from_,
        "value": None if part.value is UNSET else part,
        "text": part.text,
        "language": part.language,
        "relationship": part.relationship,
        "object": part.object,
        "json": part.json,
    }
    given = [name for name, head in heads.items() if head is not None]
    if len(given) != 1:
        raise wrong(
            place, f"exactly one of {', '.join(heads)} is required, here: {', '.join(given) or 'none'}"
        )
    if part.value is None:
        raise wrong(f"{place}.value", "null is no value")
    shapes = [
        name
        for name in ("number", "boolean", "datetime", "date", "vocab", "split", "map")
        if getattr(part, name)
    ]
    if shapes and given[0] != "from" and (shapes != ["vocab"] or given[0] != "value"):
        raise wrong(place, f"{shapes[0]} needs from")
    exclusive = [
        name for name in shapes if name in ("number", "boolean", "datetime", "date", "vocab", "split")
    ]
    if len(exclusive) > 1:
        raise wrong(place, f"{exclusive[0]} and {exclusive[1]} do not go together")
    if (part.scale is not None or part.offset is not None) and not part.number:
        raise wrong(place, "scale and offset need number: true")
