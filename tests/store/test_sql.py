"""SQL narrows down and never loses an answer: on a real database, against `matches` over everything."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityloom.model.entity import LOCATION, Attribute, Entity, decode_entity, encode_entity
from cityloom.query.cql2 import parse_cql2
from cityloom.query.evaluate import matcher
from cityloom.query.folding import without_accents
from cityloom.query.geometry import wgs84
from cityloom.query.parse import parse_order_by, parse_q
from cityloom.query.values import CqlNode, GeoQuery, Query, ScopeTerm, TypeIs, TypeOr
from cityloom.store.migrations import migrations
from cityloom.store.sql import place_row, plain_number, scope_key, select_entities
from cityloom.store.sql_like import FOLDED_TO_ASCII, WITHOUT_ACCENTS
from cityloom.store.sqlite.dialect import SQLITE
from cityloom.store.sqlite.session import SqliteSession
from cityloom.store.tables.entities.sights import sight_of, write_sight
from query.cql2_draws import filters
from query.cql2_oracle import truth
from query.draws import (
    entities,
    expand,
    expressions,
    geometries,
    print_q,
    scope_queries,
    type_selections,
)

TENANT, OTHER = 1, 2


class World:
    """A database in memory, with the schema of the embedded store."""

    def __init__(self, found: Sequence[Entity] = ()) -> None:
        self.db = apsw.Connection(":memory:")
        for migration in migrations("sqlite"):
            self.db.execute(migration.sql)
        self.rows = 0
        for entity in found:
            self.add(entity)
            # Another tenant has the same, and is never seen.
            self.add(entity, OTHER)

    def name(self, iri: str) -> int:
        self.db.execute("INSERT OR IGNORE INTO name (iri) VALUES (?)", (iri,))
        return int(self.db.execute("SELECT id FROM name WHERE iri = ?", (iri,)).fetchall()[0][0])

    def add(self, entity: Entity, tenant: int = TENANT) -> None:
        self.rows += 1
        row = self.rows
        self.db.execute(
            "INSERT INTO entity VALUES (?, ?, ?, ?, 0)", (row, tenant, entity.id, encode_entity(entity))
        )
        types = [self.name(iri) for iri in entity.types]
        for number in types:
            self.db.execute("INSERT INTO entity_type VALUES (?, ?, ?, ?)", (tenant, number, entity.id, row))
        for iri, instances in entity.attributes.items():
            told = (tenant, self.name(iri), row, plain_number(instances))
            self.db.execute("INSERT INTO entity_attribute VALUES (?, ?, ?, ?)", told)
        for scope in {scope_key(each) for each in entity.scopes}:
            self.db.execute("INSERT INTO entity_scope VALUES (?, ?, ?)", (tenant, scope, row))
        write_sight(SqliteSession(self.db, FilePath("city.db")), row, tenant, sight_of(entity, types))
        place = place_row(entity, types)
        if place is not None:
            self.db.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?)", (row, *place))

    def ask(self, query: Query, after_id: str = "") -> tuple[list[str], list[str]]:
        """Ids that SQL gives, and of them those that the query selects; checks what SQL promises."""
        select = select_entities(query, TENANT, SQLITE, after_id=after_id)
        rows = self.db.execute(select.rows(), select.parameters).fetchall()
        assert self.db.execute(select.count(), select.parameters).fetchall() == [(len(rows),)]
        test = matcher(query)
        given = [str(id) for _, id, _ in rows]
        selected = [str(id) for _, id, body in rows if test(decode_entity(body))]
        if select.exact:
            assert selected == given
            page = self.db.execute(select.rows(limit=True), select.parameters).fetchall()
            assert [id for _, id, _ in page] == given[query.offset :][: query.limit]
        return given, selected

    def plan(self, query: Query) -> str:
        select = select_entities(query, TENANT, SQLITE)
        steps = self.db.execute(f"EXPLAIN QUERY PLAN {select.rows(limit=True)}", select.parameters)
        return "\n".join(str(step[3]) for step in steps)


worlds = st.integers(1, 4).flatmap(
    lambda count: st.tuples(*(entities(f"urn:e:{number}") for number in range(count)))
)
geo_queries = st.one_of(
    st.builds(
        GeoQuery,
        georel=st.sampled_from(["within", "contains", "overlaps", "intersects", "equals", "disjoint"]),
        geometry=geometries,
    ),
    st.builds(
        GeoQuery,
        georel=st.just("near"),
        geometry=geometries,
        max_distance=st.floats(1, 1e6),
        geoproperty=st.sampled_from([LOCATION, LOCATION, LOCATION, expand("a")]),
    ),
    st.builds(GeoQuery, georel=st.just("near"), geometry=geometries, min_distance=st.floats(1, 1e6)),
)


def read_filter(tree: Any) -> CqlNode:
    return parse_cql2(tree, lang="cql2-json", expand=expand)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A query with some of its parts."""
    q = draw(st.one_of(st.none(), expressions))
    order = draw(st.sampled_from([None, None, "id", "id;desc", "a"]))
    return Query(
        ids=draw(st.lists(st.sampled_from([f"urn:e:{number}" for number in range(9)]), max_size=3)),
        id_pattern=draw(st.sampled_from([None, None, "e:[0-3]$"])),
        types=draw(st.one_of(st.none(), type_selections())),
        attrs=[expand(name) for name in draw(st.lists(st.sampled_from(["a", "b", "c"]), max_size=2))],
        q=None if q is None else parse_q(print_q(q), expand),
        scope_q=draw(st.one_of(st.none(), scope_queries())),
        geo=draw(st.one_of(st.none(), geo_queries)),
        filter=draw(st.one_of(st.none(), filters.map(read_filter))),
        order_by=None if order is None else parse_order_by({"orderBy": order}, expand),
        limit=draw(st.integers(0, 4)),
        offset=draw(st.integers(0, 2)),
    )


@settings(max_examples=250, deadline=None)
@given(found=worlds, query=queries())
def test_select_entities_loses_no_answer(found: tuple[Entity, ...], query: Query) -> None:
    given, selected = World(found).ask(query)
    test = matcher(query)
    assert sorted(selected) == sorted(entity.id for entity in found if test(entity))
    descending = query.order_by is not None and query.order_by.terms[0].descending
    assert given == sorted(given, reverse=descending)


@settings(max_examples=150, deadline=None)
@given(found=worlds, q=expressions)
def test_select_entities_loses_no_answer_when_values_are_looked_at_in_sql(
    found: tuple[Entity, ...], q: Any
) -> None:
    query = Query(q=parse_q(print_q(q), expand))
    _, selected = World(found).ask(query)
    test = matcher(query)
    assert selected == [entity.id for entity in found if test(entity)]


@settings(max_examples=300, deadline=None)
@given(found=worlds, tree=filters)
def test_select_entities_loses_no_answer_to_a_filter(found: tuple[Entity, ...], tree: Any) -> None:
    _, selected = World(found).ask(Query(filter=read_filter(tree)))
    assert selected == [entity.id for entity in found if truth(tree, entity) is True]


SPELLINGS = [
    "Straße 7",
    "STRASSE 7",
    "ſtraße",
    "Café",
    "cafe\u0301",
    "CAFE",
    "İstanbul",
    "路灯 77",
    "路燈（七）",
]
SPELLINGS += [
    "\u212a2",
    "ﬁne",
    "FINE",
    'a"b',
    "a\\b",
    "a*b?[c]",
    "100%",
    "a_b!",
    "",
    "\n\t",
    "tab\0nul",
    "がか",
    "路灯",
]
RUNS = [
    "%",
    "%",
    "_",
    "\\%",
    "\\_",
    "\\",
    "stra",
    "SS",
    "ß",
    "e",
    "é",
    "caf",
    "路",
    "灯",
    "燈",
    "7",
    "k",
    "fi",
    "*",
    "?",
]
RUNS += ["[", "]", "^", "!", '"', "\n", "\0", " ", "a", "b", "（", "が", "か", "i", "İ"]


@st.composite
def spelled_entities(draw: st.DrawFn) -> Entity:
    """An entity with texts wherever a filter may see them."""
    text = st.sampled_from(SPELLINGS) | st.text(max_size=4)
    kind = draw(
        st.sampled_from(["Property", "Language", "Vocab", "Typed", "Compound", "Sub", "Json", "List"])
    )
    value: Any = draw(text)
    told = Attribute(kind="Property", value=value)
    match kind:
        case "Language":
            told = Attribute(kind="LanguageProperty", value={"en": value, "zh": [draw(text), draw(text)]})
        case "Vocab":
            told = Attribute(kind="VocabProperty", value=expand("red") if draw(st.booleans()) else value)
        case "Typed":
            told = Attribute(kind="Property", value={"@type": "Date", "@value": value})
        case "Compound":
            told = Attribute(kind="Property", value={expand("s"): value, "m": draw(text)})
        case "Sub":
            told = Attribute(
                kind="Property",
                value=draw(text),
                attributes={expand("s"): [Attribute(kind="Property", value=value)]},
            )
        case "Json":
            told = Attribute(kind="JsonProperty", value={"s": value})
        case "List":
            told = Attribute(kind="Property", value=[value, draw(text)])
    return Entity(id=f"urn:e:{draw(st.integers(0, 10**6))}", types=["A"], attributes={expand("a"): [told]})


@settings(max_examples=400, deadline=None)
@given(
    found=st.lists(spelled_entities(), min_size=1, max_size=8, unique_by=lambda entity: entity.id),
    pattern=st.lists(st.sampled_from(RUNS) | st.sampled_from(SPELLINGS), max_size=5).map("".join),
    folds=st.lists(st.sampled_from(["casei", "accenti"]), max_size=2),
    name=st.sampled_from(["a", "a", "a.s", "a.en", "a.m", "id", "a.observedAt"]),
    folded_pattern=st.booleans(),
    equal=st.booleans(),
)
def test_select_entities_loses_no_text_that_is_like_a_pattern(
    found: list[Entity], pattern: str, folds: list[str], name: str, folded_pattern: bool, equal: bool
) -> None:
    text: Any = {"property": name}
    wanted: Any = pattern
    for fold in folds:
        text = {"op": fold, "args": [text]}
        wanted = {"op": fold, "args": [wanted]} if folded_pattern else wanted
    tree = {"op": "in", "args": [text, [pattern, "x"]]} if equal else {"op": "like", "args": [text, wanted]}
    found.sort(key=lambda entity: entity.id)
    for asked in (tree, {"op": "not", "args": [tree]}):
        query = Query(filter=read_filter(asked))
        test = matcher(query)
        assert World(found).ask(query)[1] == [entity.id for entity in found if test(entity)]


def test_select_entities_knows_how_unicode_folds() -> None:
    to_ascii, others = "", set()
    for char in map(chr, range(128, sys.maxunicode + 1)):
        folded = char.casefold()
        if any(each.isascii() for each in folded):
            to_ascii += char
        others |= {each for each in folded if each != char}
    assert to_ascii == FOLDED_TO_ASCII
    assert [each for each in others if unicodedata.category(each) == "Lo"] == []
    ranges = [WITHOUT_ACCENTS[at : at + 3] for at in range(0, len(WITHOUT_ACCENTS), 3)]
    same = "".join(chr(code) for low, _, high in ranges for code in range(ord(low), ord(high) + 1))
    assert without_accents(same) == same


def test_select_entities_narrows_down_to_what_a_filter_may_select() -> None:
    def valued(id: str, value: Any, lon: float = 0.0) -> Entity:
        place = Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [lon, 0.0]})
        number = Attribute(kind="Property", value=value)
        return Entity(id=id, types=["A"], attributes={LOCATION: [place], expand("a"): [number]})

    world = World(
        [valued("urn:e:1", 1), valued("urn:e:2", "x", 5.0), valued("urn:e:3", True), small("urn:e:4", "B")]
    )

    def given(text: str, **more: Any) -> list[str]:
        return [each[6:] for each in world.ask(Query(filter=parse_cql2(text, expand=expand), **more))[0]]

    assert given("a > 0.5") == given("NOT a <= 0.5") == given("a = 1") == given("a BETWEEN 0 AND 2") == ["1"]
    assert given("a > 1.5 OR a = 'x'") == given("a IN ('x', 'y')") == ["2"]
    assert given("a = TRUE") == given("NOT a = FALSE") == given("a <> FALSE") == ["3"]
    assert given("a IS NOT NULL") == ["1", "2", "3"]
    assert given("a LIKE '%'") == ["2"]
    assert given("a LIKE 'x%'") == given("a LIKE '_'") == given("CASEI(a) LIKE CASEI('X')") == ["2"]
    assert given("ACCENTI(a) LIKE '%x'") == ["2"]
    assert given("id LIKE '%:_' AND id LIKE '%:4%'") == ["4"]
    assert given("NOT (a > 0 AND b > 0)", types=TypeIs("A")) == given("a <= 0") == []
    assert given("id IN ('urn:e:4', 'urn:e:2')", types=TypeIs("A")) == ["2"]
    near = "S_INTERSECTS(location, BBOX(-1, -1, 1, 1))"
    assert given(near) == given(f"a > 0 AND {near} OR {near}") == ["1", "3", "4"]
    assert given(f"a = 1 AND {near}") == ["1"]
    assert "VIRTUAL TABLE" in world.plan(Query(filter=parse_cql2(f"a = 1 AND {near}", expand=expand)))
    assert given("NOT S_DISJOINT(geometry, POINT(5 0))") == ["2"]
    assert given(f"NOT {near}") == ["1", "2", "3", "4"]


@settings(max_examples=150, deadline=None)
@given(
    lon=st.sampled_from([-180.0, -179.999, 0.0, 179.999, 180.0, -71.06]),
    lat=st.sampled_from([-90.0, -89.999, 0.0, 42.35, 89.999, 90.0]),
    bearing=st.floats(0, 360),
    metres=st.floats(1, 2e7),
    share=st.floats(0, 0.999),
)
def test_select_entities_finds_what_is_near_over_the_antimeridian_and_the_poles(
    lon: float, lat: float, bearing: float, metres: float, share: float
) -> None:
    away_lon, away_lat, _ = wgs84().fwd(lon, lat, bearing, metres * share)
    place = {"type": "Point", "coordinates": [away_lon, away_lat]}
    entity = Entity(
        id="urn:e:1", types=["T"], attributes={LOCATION: [Attribute(kind="GeoProperty", value=place)]}
    )
    reference = {"type": "Point", "coordinates": [lon, lat]}
    query = Query(types=TypeIs("T"), geo=GeoQuery(georel="near", geometry=reference, max_distance=metres))
    assert World([entity]).ask(query)[1] == ["urn:e:1"]


def small(id: str, type: str, lon: float = 0.0, **more: Any) -> Entity:
    place = Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [lon, 0.0]})
    return Entity(id=id, types=[type], attributes={LOCATION: [place]}, **more)


def test_select_entities_narrows_down_to_what_the_indexes_know() -> None:
    world = World(
        [
            small("urn:e:1", "A", 0.0, scopes=["/m/p"]),
            small("urn:e:2", "B", 0.0, scopes=["m"]),
            small("urn:e:3", "A", 5.0, scopes=["/mx"]),
            Entity(id="urn:e:4", types=["A", "B"]),
        ]
    )
    origin = {"type": "Point", "coordinates": [0.0, 0.0]}
    near = GeoQuery(georel="near", geometry=origin, max_distance=1000)
    assert world.ask(Query(types=TypeIs("A")))[0] == ["urn:e:1", "urn:e:3", "urn:e:4"]
    assert world.ask(Query(types=TypeOr([TypeIs("B"), TypeIs("A")])))[0] == [
        f"urn:e:{n}" for n in (1, 2, 3, 4)
    ]
    assert world.ask(Query(types=TypeIs("none")))[0] == []
    assert world.ask(Query(types=TypeIs("A"), geo=near))[0] == ["urn:e:1"]
    assert world.ask(Query(geo=near))[0] == ["urn:e:1", "urn:e:2"]
    assert world.ask(Query(scope_q=ScopeTerm("/m/#")))[0] == ["urn:e:1", "urn:e:2"]
    assert world.ask(Query(scope_q=ScopeTerm("/m/+")))[0] == ["urn:e:1", "urn:e:2"]
    assert world.ask(Query(attrs=[LOCATION]))[0] == ["urn:e:1", "urn:e:2", "urn:e:3"]
    assert world.ask(Query(), after_id="urn:e:2")[0] == ["urn:e:3", "urn:e:4"]
    assert world.ask(Query(types=TypeIs("A")), after_id="urn:e:1")[0] == ["urn:e:3", "urn:e:4"]


def test_select_entities_looks_at_values_where_that_is_certain() -> None:
    def with_value(id: str, *values: Any, kind: Any = "Property") -> Entity:
        instances = [
            Attribute(kind=kind, value=value, dataset_id=f"urn:d:{n}") for n, value in enumerate(values)
        ]
        return Entity(id=id, types=["T"], attributes={expand("a"): instances})

    world = World(
        [
            with_value("urn:e:1", 5),
            with_value("urn:e:2", 1, 6),
            with_value("urn:e:3", "red"),
            with_value("urn:e:4", ["red", 5]),
            with_value("urn:e:5", expand("red"), kind="VocabProperty"),
            with_value("urn:e:6", True),
            with_value("urn:e:7", 1),
        ]
    )

    def given(q: str) -> str:
        return "".join(id[-1] for id in world.ask(Query(q=parse_q(q, expand)))[0])

    assert given("a>4") == "124"
    assert given("a<2") == "247"
    assert given("a>=6") == "24"
    assert given("a==1") == "247"
    assert given("a==5..6") == "124"
    assert given('a=="red"') == "345"
    assert given('a=="blue"') == "4"
    assert given('a=="blue","red"') == "345"
    assert given("a!=5") == "1234567"


@pytest.mark.parametrize(
    ("query", "leading"),
    [
        (Query(types=TypeIs("A")), "SEARCH entity_type USING PRIMARY KEY (tenant=? AND type=?)"),
        (Query(ids=["urn:e:1"], types=TypeIs("A")), "(tenant=? AND id=?)"),
        (Query(), "sqlite_autoindex_entity_1 (tenant=?)"),
        (Query(attrs=["x"]), "sqlite_autoindex_entity_1 (tenant=?)"),
    ],
)
def test_select_entities_walks_an_index_in_order_and_sorts_nothing(query: Query, leading: str) -> None:
    plan = World().plan(query)
    assert leading in plan
    if not query.ids:
        assert "ORDER BY" not in plan


def test_select_entities_merges_the_walks_of_several_types_without_a_sort() -> None:
    plan = World().plan(Query(types=TypeOr([TypeIs("A"), TypeIs("B")])))
    assert "MERGE (UNION)" in plan
    assert "ORDER BY" not in plan


def test_select_entities_searches_the_tree_when_a_place_is_asked() -> None:
    near = GeoQuery(georel="near", geometry={"type": "Point", "coordinates": [0, 0]}, max_distance=1000)
    # The four sides of the box and both ends of the types are all inside the search.
    assert "VIRTUAL TABLE INDEX 2:B0D1B2D3B4D5" in World().plan(Query(types=TypeIs("A"), geo=near))


def test_select_entities_survives_expressions_of_any_size() -> None:
    world = World([small("urn:e:1", "T1", scopes=["/m"])])
    many = TypeOr([TypeIs(f"T{number}") for number in range(900)])
    assert world.ask(Query(types=many))[1] == ["urn:e:1"]
    q = parse_q("|".join(f"a{number}==1" for number in range(900)) + "|location", expand)
    assert world.ask(Query(q=q))[1] == ["urn:e:1"]
    assert world.ask(Query(ids=[f"urn:e:{number}" for number in range(40_000)]))[0] == ["urn:e:1"]


def test_select_entities_binds_every_value() -> None:
    evil = "x'; DROP TABLE entity; --\"\\"
    world = World([small("urn:e:1", evil, scopes=["/m"])])
    assert world.ask(Query(types=TypeIs(evil)))[0] == ["urn:e:1"]
    query = Query(
        ids=[evil], attrs=[evil], scope_q=ScopeTerm(f"/{evil}"), q=parse_q("a==1", lambda name: evil + name)
    )
    select = select_entities(query, TENANT, SQLITE)
    assert evil not in select.rows() + select.count()
    assert world.ask(query)[0] == []


def test_place_row_spans_every_instance_and_every_type() -> None:
    entity = Entity(
        id="urn:e:1",
        attributes={
            LOCATION: [
                Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [1, 2]}),
                Attribute(
                    kind="GeoProperty",
                    value={"type": "LineString", "coordinates": [[-3, 0], [0, 5]]},
                    dataset_id="urn:d:1",
                ),
            ]
        },
    )
    assert place_row(entity, [7, 3]) == (-3, 1, 0, 5, 3, 7.5)
    assert place_row(Entity(id="urn:e:1"), [1]) is None
