"""YAML as configuration: one schema of plain values, no surprises, errors that name file, key and place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from cityloom.model.errors import ConfigurationError

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core words: `on`, `no` and dates stay text, and a key given twice is an error."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(?i:true|false)$"), list("tTfF"))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = str(key_node.value)
        if key in values:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is given twice", key_node.start_mark
            )
        values[key] = loader.construct_object(value_node, deep=True)
    return values


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds one object.

    Raises:
        ConfigurationError: the file cannot be read or is no such YAML; one sentence with file and line.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    try:
        values = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise ConfigurationError(f"{path} is invalid YAML{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is invalid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} is invalid: it must hold an object with keys")
    return values


def convert(values: Any, kind: type[T], file: str, place: str) -> T:
    """Plain values as the struct `kind`.

    Raises:
        ConfigurationError: an unknown key, a missing one or a wrong kind, naming file, key and place.
    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        where = place + path.rstrip("`")
        raise ConfigurationError(f"{file}: {where.lstrip('.') or 'the file'} is invalid: {problem}") from None
