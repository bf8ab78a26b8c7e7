"""The house's statements as PostgreSQL wants them."""

from __future__ import annotations

import pytest

from cityloom.store.postgres.statement import bulk, statement

TYPES = {"t": {"a": "bigint", "b": "text", "c": "json"}}


@pytest.mark.parametrize(
    ("told", "expected", "names"),
    [
        ("SELECT a FROM t WHERE b = ? AND c > ?", "SELECT a FROM t WHERE b = $1 AND c > $2", ()),
        ("SELECT :b, :a FROM t WHERE a = :b", "SELECT $1, $2 FROM t WHERE a = $1", ("b", "a")),
        ("SELECT '?' || ':a' || 'it''s :b' || ? FROM t", "SELECT '?' || ':a' || 'it''s :b' || $1 FROM t", ()),
    ],
)
def test_parameters_are_numbered_outside_of_texts(told: str, expected: str, names: tuple[str, ...]) -> None:
    assert (statement(told).sql, statement(told).names) == (expected, names)


def test_values_are_put_in_order_by_name() -> None:
    assert statement("SELECT :b, :a, :b").values({"a": 1, "b": 2, "other": 3}) == [2, 1]


def test_tables_are_those_that_may_be_read_or_changed() -> None:
    read = statement("SELECT 1 FROM a JOIN b ON a.x = b.x WHERE EXISTS (SELECT 1 FROM c)")
    assert (read.tables, read.changes) == ({"a", "b", "c"}, None)
    assert statement("INSERT INTO a (x) VALUES (?)").changes == "a"
    assert statement("DELETE FROM a WHERE x IN (SELECT x FROM b)").tables == {"a", "b"}
    assert statement("UPDATE a SET x = ? WHERE y = ?").changes == "a"


def test_many_inserts_are_one_and_keep_the_last_of_a_key() -> None:
    many = bulk(
        "INSERT INTO t (a, b, c) VALUES (?, ?, ?) ON CONFLICT (b, a) DO UPDATE SET c = excluded.c", TYPES
    )
    assert many is not None
    assert many.sql == (
        "INSERT INTO t (a, b, c) SELECT * FROM unnest($1::bigint[], $2::text[], $3::json[]) u(a, b, c)"
        " ON CONFLICT (b, a) DO UPDATE SET c = excluded.c"
    )
    assert many.columns([(1, "x", b"1"), (1, "y", b"2"), (1, "x", b"3")]) == [
        [1, 1],
        ["x", "y"],
        [b"3", b"2"],
    ]


def test_many_inserts_without_a_key_keep_every_row() -> None:
    many = bulk("INSERT INTO t (a) VALUES (?) ON CONFLICT DO NOTHING", TYPES)
    assert many is not None
    assert many.columns([(1,), (1,)]) == [[1, 1]]


def test_many_updates_are_one_and_the_last_wins() -> None:
    many = bulk("UPDATE t SET c = ?, b = ? WHERE a = ?", TYPES)
    assert many is not None
    assert many.sql == (
        "UPDATE t t SET c = u.c, b = u.b"
        " FROM unnest($1::json[], $2::text[], $3::bigint[]) u(c, b, a) WHERE t.a = u.a"
    )
    assert many.columns([(b"1", "x", 7), (b"2", "y", 7)]) == [[b"2"], ["y"], [7]]


def test_many_deletions_are_one() -> None:
    many = bulk("DELETE FROM t WHERE a = ? AND b = ?", TYPES)
    assert many is not None
    assert many.sql == (
        "DELETE FROM t t USING unnest($1::bigint[], $2::text[]) u(a, b) WHERE t.a = u.a AND t.b = u.b"
    )


def test_what_has_no_form_for_many_has_none() -> None:
    assert bulk("UPDATE t SET a = a + 1 WHERE b = ?", TYPES) is None
    assert bulk("DELETE FROM t WHERE a < ?", TYPES) is None
