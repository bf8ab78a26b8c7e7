"""What clause 4.9 says, written down plainly and apart from the code under test.

It works on drawn expressions (tuples, see draws.py) and takes no short cut.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

from cityloom.model.entity import Attribute, Entity
from query.draws import expand


def selects(node: Any, entity: Entity) -> bool:
    """Whether the entity meets the expression."""
    match node:
        case ("and", inner):
            return all(selects(each, entity) for each in inner)
        case ("or", inner):
            return any(selects(each, entity) for each in inner)
        case ("exists", path):
            return len(elements(path, entity)) > 0
        case ("compare", path, operator, literal):
            return any(holds(element, operator, literal) for element in elements(path, entity))
    raise AssertionError(node)


def elements(path: Any, entity: Entity) -> list[tuple[str, Any]]:
    """(what it is, its value) of every target element: one for each instance that has it."""
    names, members = path
    if names == ("createdAt",):
        return [("Property", entity.created_at)]
    instances: list[Attribute] = list(entity.attributes.get(expand(names[0]), []))
    if names[1:] == ("observedAt",):
        return [("Property", each.observed_at) for each in instances if each.observed_at is not None]
    if len(names) == 2:
        instances = [below for each in instances for below in each.attributes.get(expand(names[1]), [])]
    if not members:
        return [(each.kind, each.value) for each in instances]
    found = []
    for each in instances:
        if each.kind == "LanguageProperty":
            texts = {tag: text for tag, text in each.value.items() if members[0] in ("*", tag)}
            if texts:
                found.append(("LanguageProperty", texts))
        elif each.kind in ("Property", "ListProperty") and isinstance(each.value, dict):
            if expand(members[0]) in each.value:
                found.append(("Property", each.value[expand(members[0])]))
        elif each.kind == "JsonProperty" and isinstance(each.value, dict) and members[0] in each.value:
            found.append(("JsonProperty", each.value[members[0]]))
    return found


def holds(element: tuple[str, Any], operator: str, literal: Any) -> bool:
    """Whether one target element meets one comparison."""
    kind, value = element
    if operator == "==":
        return equals(kind, value, literal)
    if operator == "!=":
        return not equals(kind, value, literal)
    if kind in ("Relationship", "ListRelationship"):
        return False
    if kind == "LanguageProperty":
        candidates = texts_of(value)
    elif isinstance(value, list):
        return False
    else:
        candidates = [value]
    if operator in ("~=", "!~="):
        texts = [each for each in candidates if isinstance(each, str)]
        if not texts:
            return False
        in_language = any(re.fullmatch(literal[1], each) for each in texts)
        return in_language if operator == "~=" else not in_language
    if kind == "VocabProperty":
        return False
    return any(in_order(each, operator, literal) for each in candidates)


def equals(kind: str, value: Any, literal: Any) -> bool:
    """The equal operator: the value, or an element of it, is one of the literals or in the range."""
    if literal[0] == "list":
        return any(equals(kind, value, each) for each in literal[1])
    if literal[0] == "range":
        if kind in ("Relationship", "ListRelationship", "VocabProperty") or isinstance(value, list):
            return False
        candidates = texts_of(value) if kind == "LanguageProperty" else [value]
        return any(
            in_order(each, ">=", literal[1]) and in_order(each, "<=", literal[2]) for each in candidates
        )
    candidates = (
        texts_of(value) if kind == "LanguageProperty" else value if isinstance(value, list) else [value]
    )
    if kind in ("Relationship", "ListRelationship"):
        return literal[0] in ("text", "moment") and literal[1] in candidates
    if kind == "VocabProperty":
        return literal[0] in ("text", "moment") and expand(literal[1]) in candidates
    return any(same(each, literal) for each in candidates)


def texts_of(language_map: dict[str, Any]) -> list[str]:
    """Every text of a language map."""
    texts = []
    for text in language_map.values():
        texts.extend(text if isinstance(text, list) else [text])
    return texts


def typed(value: Any) -> tuple[str, Any] | None:
    """The data type of a value, and the value in Python's own type for it."""
    if isinstance(value, dict) and "@value" in value:
        value = value["@value"]
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", value
    if not isinstance(value, str):
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", value):
        return "dateTime", datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return "date", date.fromisoformat(value)
    if re.fullmatch(r"\d\d:\d\d:\d\dZ", value):
        return "time", time.fromisoformat(value.removesuffix("Z"))
    return "string", value


def same(value: Any, literal: Any) -> bool:
    """Equal, and of one data type."""
    one, other = typed(value), typed(literal[1])
    return one is not None and one == other


def in_order(value: Any, operator: str, literal: Any) -> bool:
    """Less or greater, within one data type."""
    one, other = typed(value), typed(literal[1])
    if one is None or other is None or one[0] != other[0]:
        return False
    match operator:
        case ">":
            return bool(one[1] > other[1])
        case "<":
            return bool(one[1] < other[1])
        case ">=":
            return bool(one[1] >= other[1])
        case _:
            return bool(one[1] <= other[1])
