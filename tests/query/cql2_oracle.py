"""What OGC 21-065r2 and the house's choices say of a filter, plainly and apart from the code under test.

It works on CQL2 JSON as drawn, one entity at a time, and takes no short cut. NULL is None.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import shapely

from cityloom.model.entity import LOCATION, Attribute, Entity
from query.draws import expand

Found = list[Any]
"""The values of an expression, of which any counts; an empty list is NULL."""


class Vocab(str):
    """An IRI of a VocabProperty."""


def truth(tree: Any, entity: Entity) -> bool | None:
    """Whether the filter is true (True), false (False) or unknown (None) of the entity."""
    if isinstance(tree, bool):
        return tree
    op, args = tree["op"], tree["args"]
    if op == "not":
        found = truth(args[0], entity)
        return None if found is None else not found
    if op in ("and", "or"):
        found = [truth(each, entity) for each in args]
        decides = op == "or"
        return decides if decides in found else None if None in found else not decides
    if op == "isNull":
        operand = args[0]
        if isinstance(operand, dict) and "property" in operand:
            instances = attribute(operand["property"], entity)
            return not instances
        if isinstance(operand, bool):
            return False
        if isinstance(operand, dict) and operand.get("op") in CONDITIONS:
            return truth(operand, entity) is None
        return not value(operand, entity)
    if op == "in":
        items = [{"op": "=", "args": [args[0], each]} for each in args[1]]
        return truth({"op": "or", "args": [*items, False]}, entity)
    if op == "between":
        low, high = value(args[1], entity), value(args[2], entity)
        found = []
        for each in value(args[0], entity):
            above, below = (
                any_of([compare(each, bound) for bound in bounds], test)
                for bounds, test in ((low, lambda sign: sign >= 0), (high, lambda sign: sign <= 0))
            )
            found.append(None if above is None or below is None else above and below)
        return True if True in found else False if False in found else None
    if op == "like":
        pattern = args[1]
        wanted = pattern["args"][0].casefold() if isinstance(pattern, dict) else pattern
        found = [
            like(text, wanted)
            for each in value(args[0], entity)
            if isinstance(each, str)
            for text in spoken(each)
        ]
        return any(found) if found else None
    if op[:2] == "s_":
        shapes = [place(each, entity) for each in args]
        if None in shapes:
            return None
        return bool(getattr(shapely, op[2:])(*shapes))
    if op[:2] == "t_":
        pairs = [(one, other) for one in spans(args[0], entity) for other in spans(args[1], entity)]
        return any(temporal(op[2:], *one, *other) for one, other in pairs) if pairs else None
    if op[:2] == "a_":
        one, other = elements(args[0], entity), elements(args[1], entity)
        if one is None or other is None:
            return None
        return {
            "a_equals": lambda: subset(one, other) and subset(other, one),
            "a_contains": lambda: subset(other, one),
            "a_containedBy": lambda: subset(one, other),
            "a_overlaps": lambda: any(same(x, y) for x in one for y in other),
        }[op]()
    signs = [compare(one, other) for one in value(args[0], entity) for other in value(args[1], entity)]
    equal = any_of(signs, lambda sign: sign == 0)
    if op == "<>":
        return None if equal is None else not equal
    tests = {
        "=": lambda s: s == 0,
        "<": lambda s: s == -1,
        ">": lambda s: s == 1,
        "<=": lambda s: s in (-1, 0),
        ">=": lambda s: s in (0, 1),
    }
    return any_of(signs, tests[op])


CONDITIONS = frozenset(
    ["=", "<>", "<", ">", "<=", ">=", "and", "or", "not", "like", "between", "in", "isNull"]
) | {
    f"{kind}_{name}"
    for kind, names in (
        ("s", "intersects equals disjoint touches within overlaps crosses contains"),
        ("a", "equals contains containedBy overlaps"),
        ("t", "after before disjoint equals intersects contains during finishedBy finishes meets metBy"),
        ("t", "overlappedBy overlaps startedBy starts"),
    )
    for name in names.split()
}


def any_of(signs: list[Any], test: Any) -> bool | None:
    """True if any passes; else false if any can be compared at all."""
    known = [sign for sign in signs if sign is not None]
    results = [test(sign) for each in known for sign in (each if isinstance(each, list) else [each])]
    return any(results) if results else None


# -- values ----------------------------------------------------------------------------------------------
def attribute(name: str, entity: Entity) -> Found:
    """What a feature shows of a property: its values; an array is one value."""
    if name == "id":
        return [entity.id]
    if name == "createdAt":
        return [entity.created_at]
    first, _, rest = name.partition(".")
    instances = list(entity.attributes.get(LOCATION if first == "geometry" else expand(first), []))
    default = [each for each in instances if each.dataset_id == ""]
    instances = default or instances
    if rest == "observedAt":
        known = [each.observed_at for each in instances if each.observed_at is not None]
        if known:
            return known[:1]
    if not rest:
        return shown(instances[0]) if instances else []
    below = [sub for each in instances for sub in each.attributes.get(expand(rest), [])]
    if below:
        return shown(below[0])
    for each in instances:
        found = member(rest, each)
        if found is not None:
            return found
    return []


def shown(instance: Attribute) -> Found:
    """The values of one instance."""
    held = instance.value
    if held is None:
        return []
    if instance.kind == "LanguageProperty":
        return [
            text
            for _, texts in sorted(held.items())
            for text in (texts if isinstance(texts, list) else [texts])
        ]
    if instance.kind == "VocabProperty":
        return [Vocab(held)]
    return [plain(held)]


def member(name: str, instance: Attribute) -> Found | None:
    """The values of a member of a compound value, or of one language; None: there is no such member."""
    held = instance.value
    if instance.kind == "LanguageProperty":
        if name not in held:
            return None
        return list(held[name]) if isinstance(held[name], list) else [held[name]]
    if instance.kind not in ("Property", "ListProperty", "JsonProperty") or not isinstance(held, dict):
        return None
    for key in (expand(name), name):
        if held.get(key) is not None:
            return [plain(held[key])]
    return None


def plain(held: Any) -> Any:
    """Typed values are what they hold."""
    if isinstance(held, list):
        return [plain(each) for each in held]
    return held["@value"] if isinstance(held, dict) and "@value" in held else held


def value(tree: Any, entity: Entity) -> Found:
    """The values of an expression."""
    match tree:
        case bool() | int() | float() | str():
            return [tree]
        case {"property": name}:
            return attribute(name, entity)
        case {"date": text}:
            return [date.fromisoformat(text)]
        case {"timestamp": text}:
            return [moment(text)]
        case {"interval": _}:
            return [tuple(found) for found in spans(tree, entity)]
        case {"op": "casei", "args": [inner]}:
            return [
                text.casefold()
                for each in value(inner, entity)
                if isinstance(each, str)
                for text in spoken(each)
            ]
        case {"op": "accenti", "args": [inner]}:
            return [
                bare(text) for each in value(inner, entity) if isinstance(each, str) for text in spoken(each)
            ]
        case {"op": op, "args": [left, right]}:
            found = [reckon(op, x, y) for x in value(left, entity) for y in value(right, entity)]
            return [each for each in found if each is not None]
    raise AssertionError(tree)


def bare(text: str) -> str:
    """Without the accents of this world."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if c != "\u0301")


def reckon(op: str, one: Any, other: Any) -> float | None:
    """Arithmetic of numbers, None where it has no result."""
    if type(one) not in (int, float) or type(other) not in (int, float):
        return None
    one, other = float(one), float(other)
    if op in ("/", "%", "div") and other == 0:
        return None
    try:
        if op == "^":
            found = one**other
        else:
            found = {
                "+": lambda: one + other,
                "-": lambda: one - other,
                "*": lambda: one * other,
                "/": lambda: one / other,
                "%": lambda: math.fmod(one, other),
                "div": lambda: float(int(one / other)),
            }[op]()
    except (OverflowError, ZeroDivisionError):
        return None
    return None if isinstance(found, complex) or math.isinf(found) or math.isnan(found) else found


def spoken(text: str) -> list[str]:
    """The texts a value is seen as."""
    return [str(text), str(text).rsplit("/", 1)[-1]] if isinstance(text, Vocab) else [text]


def compare(one: Any, other: Any) -> Any:
    """-1, 0, 1; None where the types differ; a list where a term of a vocabulary has several spellings."""
    if isinstance(one, str) and isinstance(other, str):
        if isinstance(one, Vocab) or isinstance(other, Vocab):
            names = [
                {*spoken(each), *([] if isinstance(each, Vocab) else [expand(each)])} for each in (one, other)
            ]
            if names[0] & names[1]:
                return 0
            return [(x > y) - (x < y) for x in spoken(one) for y in spoken(other)]
        return (one > other) - (one < other)
    one, other = (
        timed(x) if isinstance(x, str) and isinstance(y, date) else x for x, y in ((one, other), (other, one))
    )
    if isinstance(one, date) and isinstance(other, date):
        return before(one, other)
    if isinstance(one, bool) and isinstance(other, bool):
        return int(one) - int(other)
    if type(one) in (int, float) and type(other) in (int, float):
        return (one > other) - (one < other)
    return None


def like(text: str, pattern: str) -> bool:
    """Character by character."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(like(text[start:], pattern[1:]) for start in range(len(text) + 1))
    if pattern[0] == "\\" and len(pattern) > 1:
        return text[:1] == pattern[1] and like(text[1:], pattern[2:])
    return bool(text) and pattern[0] in ("_", text[0]) and like(text[1:], pattern[1:])


# -- places, times, sets -----------------------------------------------------------------------------------
def place(tree: Any, entity: Entity) -> Any:
    """The geometry of a literal or of a GeoProperty, or None."""
    if "bbox" in tree:
        west, south, east, north = tree["bbox"]
        if west == east and south == north:
            return shapely.Point(west, south)
        if west == east or south == north:
            return shapely.LineString([(west, south), (east, north)])
        return shapely.box(west, south, east, north)
    if "property" not in tree:
        return shapely.geometry.shape(tree)
    name = tree["property"]
    instances = entity.attributes.get(LOCATION if name in ("geometry", "location") else expand(name), [])
    shown = [each for each in instances if each.dataset_id == ""] or instances
    if not shown or shown[0].kind != "GeoProperty":
        return None
    return shapely.geometry.shape(shown[0].value)


def moment(text: str) -> datetime:
    """A timestamp as a moment in UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def timed(text: str) -> date | None:
    """A text as the date or the moment that it says."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return date.fromisoformat(text)
    return moment(re.sub(r"\.5Z$", ".500000Z", text)) if re.match(r"\d{4}-\d\d-\d\dT", text) else None


def before(one: date, other: date) -> int:
    """-1, 0, 1: by date as soon as either is one."""
    if isinstance(one, datetime) != isinstance(other, datetime):
        one, other = (each.date() if isinstance(each, datetime) else each for each in (one, other))
    return (one > other) - (one < other)


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def spans(tree: Any, entity: Entity) -> list[tuple[Any, Any]]:
    """(start, end) of every time that the expression is."""
    if isinstance(tree, dict) and "interval" in tree:
        ends = []
        for bound, unbounded in zip(tree["interval"], (FIRST, LAST), strict=True):
            if bound == "..":
                ends.append(unbounded)
            elif isinstance(bound, str):
                ends.append(timed(bound))
            else:
                known = [timed(each) for each in value(bound, entity) if isinstance(each, str)]
                ends.append(next((each for each in known if each is not None), None))
        if None in ends or before(ends[0], ends[1]) > 0:
            return []
        return [(ends[0], ends[1])]
    found = [timed(each) if isinstance(each, str) else each for each in value(tree, entity)]
    return [(each, each) for each in found if isinstance(each, date)]


def temporal(name: str, s1: Any, e1: Any, s2: Any, e2: Any) -> bool:
    """The tables of clause 7.7."""

    def lt(x: Any, y: Any) -> bool:
        return before(x, y) < 0

    def eq(x: Any, y: Any) -> bool:
        return before(x, y) == 0

    return {
        "after": lt(e2, s1),
        "before": lt(e1, s2),
        "disjoint": lt(e2, s1) or lt(e1, s2),
        "equals": eq(s1, s2) and eq(e1, e2),
        "intersects": not lt(e2, s1) and not lt(e1, s2),
        "contains": lt(s1, s2) and lt(e2, e1),
        "during": lt(s2, s1) and lt(e1, e2),
        "finishedBy": lt(s1, s2) and eq(e1, e2),
        "finishes": lt(s2, s1) and eq(e1, e2),
        "meets": eq(e1, s2),
        "metBy": eq(s1, e2),
        "overlappedBy": lt(s2, s1) and lt(s1, e2) and lt(e2, e1),
        "overlaps": lt(s1, s2) and lt(s2, e1) and lt(e1, e2),
        "startedBy": eq(s1, s2) and lt(e2, e1),
        "starts": eq(s1, s2) and lt(e1, e2),
    }[name]


def elements(tree: Any, entity: Entity) -> list[Any] | None:
    """The members of a set, None when it is NULL; a single value is a set of one."""
    if isinstance(tree, list):
        members = [elements(each, entity) if isinstance(each, list) else value(each, entity) for each in tree]
        firsts = []
        for each, found in zip(tree, members, strict=True):
            if isinstance(each, list):
                firsts.append(found)
            elif not found:
                return None
            else:
                firsts.append(found[0])
        return firsts
    found = value(tree, entity)
    if not found:
        return None
    return found[0] if isinstance(found[0], list) else found


def same(one: Any, other: Any) -> bool:
    """Whether two elements are the same."""
    if isinstance(one, list) and isinstance(other, list):
        return subset(one, other) and subset(other, one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return temporal("equals", *one, *other)
    if isinstance(one, (list, tuple)) or isinstance(other, (list, tuple)):
        return False
    return compare(one, other) == 0


def subset(one: list[Any], other: list[Any]) -> bool:
    """Whether every element of `one` is in `other`."""
    return all(any(same(each, candidate) for candidate in other) for each in one)
