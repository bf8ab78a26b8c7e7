"""A city's folder: its configuration, its store, its keys, its sources and reject files.

```
FOLDER/
  city.yaml         which profile, where the source files are, settings
  cityloom.sqlite   the store (and beside it the write-ahead log)
  keys.json         API keys, as digests
  history/          tables of history that left the store (setting coldAfter)
  sources/          source files, where the city has them here
  runs/             reject files of connector runs
  evidence/         photos of cases
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from cityloom.model.errors import ConfigurationError
from cityloom.model.settings import Settings, read_settings

CONFIGURATION = "city.yaml"
STORE = "cityloom.sqlite"
KEYS = "keys.json"
COLD = "history"
EVIDENCE = "evidence"


class CityConfiguration(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What stands in `city.yaml`.

    `name` "" is the profile's title. `profile` is the name of a built-in profile or a folder; "" is a
    city without one. `sources` is the folder of the source files, relative to the city's folder
    unless absolute.
    """

    name: str = ""
    profile: str = ""
    sources: str = "sources"
    settings: dict[str, Any] = {}


class CityFolder:
    """A city kept in a folder.

    Args:
        make: make the folder, empty, when it is missing.

    Raises:
        ConfigurationError: the folder does not exist or cannot be made, or its `city.yaml` is invalid.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if make:
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(f"the folder {path} cannot be made: {error.strerror}") from None
        elif not path.is_dir():
            raise ConfigurationError(
                f"no city exists in {path}: the folder does not exist; "
                f"make one with: cityloom init --data {path}"
            )
        self.configuration = self._read()

    @property
    def store_file(self) -> Path:
        """The store's file."""
        return self.path / STORE

    def require_store(self) -> None:
        """Raises ConfigurationError: nothing was ever kept in this folder."""
        if not self.store_file.exists():
            raise ConfigurationError(
                f"the city in {self.path} holds nothing yet: {STORE} is missing; "
                f"it is made by: cityloom serve --data {self.path}"
            )

    def cold_place(self, settings: Settings) -> str:
        """Where the tables of the cold history stand: a folder or a URL."""
        url = settings.cold_url or COLD
        return url if "://" in url else str((self.path / url).resolve())

    @property
    def keys_file(self) -> Path:
        """The file of the API keys."""
        return self.path / KEYS

    @property
    def runs(self) -> Path:
        """Where reject files stand."""
        return self.path / "runs"

    @property
    def evidence(self) -> Path:
        """Where the photos of cases stand."""
        return self.path / EVIDENCE

    @property
    def sources(self) -> Path:
        """Where the source files stand."""
        return (self.path / self.configuration.sources).resolve()

    @property
    def profile(self) -> str:
        """The profile's name or folder; "" when the city has none."""
        name = self.configuration.profile
        inside = self.path / name
        return str(inside) if name and (inside / "profile.yaml").is_file() else name

    def settings(self, **given: Any) -> Settings:
        """The city's settings; what the command line gave (snake_case, not None) goes before the file's.

        Raises:
            ConfigurationError: a setting has an unknown name or a wrong kind, or two exclude each other.
        """
        try:
            settings = read_settings(self.configuration.settings)
            settings = msgspec.structs.replace(settings, **{k: v for k, v in given.items() if v is not None})
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{self.path / CONFIGURATION}: settings is invalid: {error}") from None
        return settings

    def write(self, configuration: CityConfiguration) -> None:
        """Makes `configuration` the city's."""
        text = yaml.safe_dump(msgspec.to_builtins(configuration), sort_keys=False, allow_unicode=True)
        try:
            (self.path / CONFIGURATION).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"{self.path / CONFIGURATION} cannot be written: {error.strerror}"
            ) from None
        self.configuration = configuration

    @property
    def is_new(self) -> bool:
        """Whether no city was made here yet."""
        return not (self.path / CONFIGURATION).exists()

    def _read(self) -> CityConfiguration:
        file = self.path / CONFIGURATION
        try:
            values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            return msgspec.convert(values, CityConfiguration)
        except FileNotFoundError:
            return CityConfiguration(name=self.path.resolve().name)
        except (OSError, yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigurationError(f"{file} is invalid: {reason}") from None
