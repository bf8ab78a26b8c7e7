"""A profile: a folder that says what a city is and which sources it has. Data, never code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from msgspec import Struct

import cityloom
from cityloom.connect.mapping import Mapping, load_mapping
from cityloom.model.errors import ConfigurationError
from cityloom.yamlfile import convert, load_yaml

OTHER: Final = "other"
"""Where the page puts the types that stand in no group."""


class SourceEntry(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One source of a profile: the mapping's file, relative to the profile's folder."""

    mapping: str


class Download(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A public source that a user with internet can fetch: where, under which licence, from whom."""

    name: str
    url: str
    licence: str = ""
    provider: str = ""
    note: str = ""


class Attribution(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Whom to name wherever the data is shown."""

    name: str
    licence: str = ""
    url: str = ""


class Group(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Layers that belong together: a title by language, and types as the mappings name them, in order."""

    id: str
    title: dict[str, str]
    types: list[str]


class PlayPart(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a recorded day is played from: sources that come by their time, and those imported before them."""

    before: list[str] = []
    live: list[str] = []


class Profile(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a city is.

    `crs` is that of sources which name none; `map_crs` the city's own, in which
    its maps can be asked for besides the common ones (`EPSG:26986`). `cases` is the file of what its
    cases go by, relative to the profile's folder; the room of cases reads it.
    """

    name: str
    title: dict[str, str] = {}
    center: tuple[float, float]
    bbox: tuple[float, float, float, float] | None = None
    time_zone: str = "UTC"
    languages: list[str] = []
    crs: str = ""
    map_crs: str = ""
    context: Any = None
    sources: list[SourceEntry] = []
    download: list[Download] = []
    attribution: list[Attribution] = []
    retention: dict[str, str] = {}
    groups: list[Group] = []
    cases: str = ""
    play: PlayPart = PlayPart()


class City(Struct, frozen=True, kw_only=True):
    """A profile with its mappings, in order of import."""

    profile: Profile
    mappings: list[Mapping]
    folder: Path

    @property
    def cases_file(self) -> Path | None:
        """What the city's cases go by; None where it keeps none."""
        return self.folder / self.profile.cases if self.profile.cases else None

    def mapping(self, source: str) -> Mapping | None:
        """The mapping of one source."""
        return next((mapping for mapping in self.mappings if mapping.source == source), None)


def builtin_profiles() -> list[str]:
    """The names of the profiles that come with the package."""
    root = Path(cityloom.__file__).parent / "profiles"
    return sorted(path.parent.name for path in root.glob("*/profile.yaml"))


def load_profile(place: str | Path) -> City:
    """Reads a profile and all its mappings.

    Args:
        place: the name of a built-in profile, or a folder with a `profile.yaml`.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    folder = Path(place)
    if isinstance(place, str) and place in builtin_profiles():
        folder = Path(cityloom.__file__).parent / "profiles" / place
    file = folder / "profile.yaml"
    if not file.is_file():
        known = ", ".join(builtin_profiles())
        raise ConfigurationError(
            f"the profile {str(place)!r} does not exist: no {file}; built in are {known}"
        )
    profile = convert(load_yaml(file), Profile, str(file), "")
    _check_groups(profile.groups, str(file))
    defaults = {"timeZone": profile.time_zone}
    if profile.crs:
        defaults["crs"] = profile.crs
    mappings: list[Mapping] = []
    for entry in profile.sources:
        mapping = load_mapping(folder / entry.mapping, defaults)
        if any(other.source == mapping.source for other in mappings):
            raise ConfigurationError(f"{mapping.file}: source is invalid: {mapping.source!r} already exists")
        mappings.append(mapping)
    _check_play(profile.play, {mapping.source: mapping for mapping in mappings}, str(file))
    return City(profile=profile, mappings=mappings, folder=folder)


def _check_play(play: PlayPart, known: dict[str, Mapping], file: str) -> None:
    """Raises ConfigurationError: a source does not exist, or one that is to come by its time has none."""
    for name in (*play.before, *play.live):
        if name not in known:
            raise ConfigurationError(f"{file}: play is invalid: source {name!r} does not exist")
    for name in play.live:
        if not known[name].path or not (known[name].series or known[name].lived):
            raise ConfigurationError(
                f"{file}: play.live is invalid: {name!r} has no file whose rows have a time (series or lived)"
            )


def _check_groups(groups: list[Group], file: str) -> None:
    """Raises ConfigurationError: an id or a type stands twice, or a group says nothing."""
    homes: dict[str, str] = {}
    ids: set[str] = set()
    for number, group in enumerate(groups):
        place = f"{file}: groups[{number}]"
        if not group.id or not all(c.isalnum() or c in "-_" for c in group.id):
            raise ConfigurationError(f"{place}.id is invalid: letters, digits, '-' and '_' are required")
        if group.id == OTHER:
            raise ConfigurationError(f"{place}.id is invalid: {OTHER!r} is what stands in no group")
        if group.id in ids:
            raise ConfigurationError(f"{place}.id is invalid: {group.id!r} already exists")
        ids.add(group.id)
        if not any(group.title.values()):
            raise ConfigurationError(f"{place}.title is required: the group's name by language")
        if not group.types:
            raise ConfigurationError(f"{place}.types is required: at least one type")
        for type in group.types:
            if type in homes:
                raise ConfigurationError(
                    f"{place}.types is invalid: {type!r} already stands in group {homes[type]!r}"
                )
            homes[type] = group.id
