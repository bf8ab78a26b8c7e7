"""What is in use, by type: counted as entities come and go, so that nobody has to scan for it.

Each work counts its changes apart; they are added up when it succeeded and
written once a commit, one row a type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.store.map_ports import Box
from cityloom.store.tables.history.codec import read_time

Place = tuple[float, float, float, float, float, float]
"""west, east, south, north, and the span of the types' numbers, as in `store.sql.place_row`"""


class Use(Struct, omit_defaults=True):
    """On how many entities an attribute is, and on how many with each kind.

    `changed` is the number of the last event that changed one that was there.
    """

    count: int = 0
    kinds: dict[str, int] = {}
    changed: int = 0

    def settled(self) -> Use:
        """Without kinds that came to nothing."""
        if all(self.kinds.values()):
            return self
        return Use(self.count, {kind: count for kind, count in self.kinds.items() if count}, self.changed)


class Tally(Struct, omit_defaults=True):
    """The current entities of one type; as a change, its numbers may be negative.

    `box` holds the `location` of each. As a change, `left` holds the boxes
    that went away. `loose` says that one on the border went, so that the true
    box may be smaller. In the same way `observed` is the newest `observedAt`
    (µs; 0 for none), `past` the newest that went away, and `doubtful` says that
    the newest of all went. `silent` counts those whose `stale` is true.

    `touched` is the number of the last event that changed anything, `seen` that of the last
    that changed what every map shows: which entities there are, where, their names, which
    attributes they have and whether they are silent.
    """

    count: int = 0
    geometries: dict[str, int] = {}
    attributes: dict[str, Use] = {}
    box: Box | None = None
    left: Box | None = None
    loose: bool = False
    modified: int = 0
    observed: int = 0
    past: int = 0
    doubtful: bool = False
    silent: int = 0
    touched: int = 0
    seen: int = 0

    def add(self, change: Tally) -> None:
        """Adds a later change; `left` is kept when this is a change, too."""
        self.count += change.count
        if change.geometries:
            _add(self.geometries, change.geometries)
        for name, use in change.attributes.items():
            mine = self.attributes.get(name)
            if mine is None:
                mine = self.attributes[name] = Use()
            mine.count += use.count
            if use.changed > mine.changed:
                mine.changed = use.changed
            if use.kinds:
                _add(mine.kinds, use.kinds)
        if change.box is not None:
            self.box = union(self.box, change.box)
        if change.left is not None:
            self.left = union(self.left, change.left)
        self.modified = max(self.modified, change.modified)
        if change.observed > self.observed:
            self.observed = change.observed
            self.doubtful = False
        self.past = max(self.past, change.past)
        self.silent += change.silent
        self.touched = max(self.touched, change.touched)
        self.seen = max(self.seen, change.seen)

    def settled(self) -> Tally:
        """As it is stored: what came to nothing left out, the box checked against what left it."""
        attributes = {name: use.settled() for name, use in self.attributes.items() if use.count}
        geometries = {kind: count for kind, count in self.geometries.items() if count}
        box = self.box if geometries else None
        loose = box is not None and (self.loose or (self.left is not None and _touches(self.left, box)))
        return Tally(
            count=self.count,
            geometries=geometries,
            attributes=attributes,
            box=box,
            loose=loose,
            modified=self.modified,
            observed=self.observed,
            doubtful=self.observed > 0 and (self.doubtful or self.past >= self.observed),
            silent=self.silent,
            touched=self.touched,
            seen=self.seen,
        )


Key = tuple[int, int]
"""(tenant, type)"""
EVERY_TYPE: Final = 0
"""The number under which a tenant's entities are counted, each once."""
Tallies = dict[Key, Tally]
STALE: Final = ("/stale", "#stale")
"""How the IRI of the mark ends that the connectors put on what has fallen silent."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Tally).decode


def encode_tally(tally: Tally) -> bytes:
    """The stored form."""
    return _encode(tally)


def decode_tally(body: bytes) -> Tally:
    """Reads the stored form."""
    return _decode(body)


def add_all(tallies: Tallies, changes: Tallies) -> None:
    """Adds changes of many types."""
    for key, change in changes.items():
        tallies.setdefault(key, Tally()).add(change)


def take_all(tallies: Tallies, changes: Tallies) -> None:
    """The same with changes that nobody needs any more."""
    for key, change in changes.items():
        known = tallies.get(key)
        if known is None:
            tallies[key] = change
        else:
            known.add(change)


def count_entity(tally: Tally, entity: Entity, place: Place | None, sign: int) -> None:
    """Counts an entity in (`sign` 1) or out (-1)."""
    tally.count += sign
    uses, observed, marked = tally.attributes, 0, False
    stamps: dict[str, None] = {}
    for name, instances in entity.attributes.items():
        use = uses.get(name)
        if use is None:
            use = uses[name] = Use()
        use.count += sign
        kinds = use.kinds
        for kind in kinds_of(instances):
            kinds[kind] = kinds.get(kind, 0) + sign
        for each in instances:
            stamp = each.observed_at
            if stamp is not None:
                stamps[stamp] = None
        if name.endswith(STALE):
            marked = True
    for stamp in stamps:  # the attributes of one reading share their time
        observed = max(observed, read_time(stamp, "observedAt")[0])
    if marked:
        tally.silent += sign * is_silent(entity)
    count_place(tally, entity, place, sign)
    if sign > 0:
        tally.observed = max(tally.observed, observed)
    else:
        tally.past = max(tally.past, observed)


def count_place(tally: Tally, entity: Entity, place: Place | None, sign: int) -> None:
    """Counts an entity's `location` in or out."""
    if place is None:
        return
    kind = geometry_kind(entity)
    tally.geometries[kind] = tally.geometries.get(kind, 0) + sign
    box = (place[0], place[2], place[1], place[3])
    if sign > 0:
        tally.box = union(tally.box, box)
    else:
        tally.left = union(tally.left, box)


def is_silent(entity: Entity) -> bool:
    """Whether the entity is marked silent."""
    return any(
        each.value is True
        for name, instances in entity.attributes.items()
        if name.endswith(STALE)
        for each in instances
    )


def newest(attributes: Iterable[Attribute | None]) -> int:
    """The newest `observedAt` of attribute instances in microseconds; 0 when they have none."""
    found = 0
    for attribute in attributes:
        if attribute is not None and attribute.observed_at is not None:
            found = max(found, read_time(attribute.observed_at, "observedAt")[0])
    return found


def geometry_kind(entity: Entity) -> str:
    """The GeoJSON type of the entity's `location` ("" when it has none)."""
    location = entity.instance(LOCATION) or next(iter(entity.attributes.get(LOCATION, ())), None)
    value = location.value if location is not None else None
    return str(value.get("type", "")) if isinstance(value, dict) else ""


def kinds_of(instances: Sequence[Attribute]) -> Collection[str]:
    """The kinds of an attribute's instances, each once."""
    if len(instances) == 1:
        return (instances[0].kind,)
    return dict.fromkeys(instance.kind for instance in instances)


def union(one: Box | None, other: Box | None) -> Box | None:
    """The smallest box around both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _touches(inner: Box, outer: Box) -> bool:
    return inner[0] <= outer[0] or inner[1] <= outer[1] or inner[2] >= outer[2] or inner[3] >= outer[3]


def _add(counts: dict[str, int], changes: dict[str, int]) -> None:
    for key, change in changes.items():
        counts[key] = counts.get(key, 0) + change
