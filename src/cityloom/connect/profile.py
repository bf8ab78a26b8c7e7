"""A profile: a folder that says what a city is and which sources it has. Data, never code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

import cityloom
from cityloom.connect.mapping import Mapping, load_mapping
from cityloom.connect.yamlfile import convert, load_yaml
from cityloom.model.errors import ConfigurationError


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


class Profile(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a city is.

    `crs` is that of sources which name none; `map_crs` the city's own, in which
    its maps can be asked for besides the common ones (`EPSG:26986`).
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


class City(Struct, frozen=True, kw_only=True):
    """A profile with its mappings, in order of import."""

    profile: Profile
    mappings: list[Mapping]
    folder: Path

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
    defaults = {"timeZone": profile.time_zone}
    if profile.crs:
        defaults["crs"] = profile.crs
    mappings: list[Mapping] = []
    for entry in profile.sources:
        mapping = load_mapping(folder / entry.mapping, defaults)
        if any(other.source == mapping.source for other in mappings):
            raise ConfigurationError(f"{mapping.file}: source is invalid: {mapping.source!r} already exists")
        mappings.append(mapping)
    return City(profile=profile, mappings=mappings, folder=folder)
