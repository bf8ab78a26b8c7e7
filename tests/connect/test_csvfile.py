from __future__ import annotations

import csv
import gzip
import io
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityloom.connect.readers import open_table
from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError
from tests.connect.conftest import make


def read(content: bytes | Path, **values: object) -> list[tuple[int, object]]:
    with closing(open_table(make(**values), content)) as table:
        return list(table.rows)


def test_csv_gives_rows_with_their_numbers() -> None:
    assert read(b"id,name\n1,a\n2,\xc3\xa9\n") == [
        (1, {"id": "1", "name": "a"}),
        (2, {"id": "2", "name": "é"}),
    ]


@pytest.mark.parametrize("zipped", [False, True])
def test_csv_reads_files_plain_and_gzipped_with_a_byte_order_mark(tmp_path: Path, zipped: bool) -> None:
    content = b"\xef\xbb\xbfid\r\n7\r\n"
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert read(path) == [(1, {"id": "7"})]


def test_csv_rejects_only_the_row_with_broken_quoting() -> None:
    rows = read(b'id,name\n1,"a"b\n2,c\n')
    assert isinstance(rows[0][1], Unreadable)
    assert rows[0][1].reason == "broken quoting"
    assert rows[0][1].raw == '1,"a"b'
    assert rows[1] == (2, {"id": "2", "name": "c"})


@pytest.mark.parametrize("tail", [b"4,d\n5,e\n", b'4,"d"\n5,e\n', b'4,"d\n5,e"\n'])
def test_csv_does_not_let_an_open_quote_swallow_the_rows_after_it(tail: bytes) -> None:
    rows = read(b'id,name\n1,a\n2,"b\n3,c\n' + tail)
    numbers = [number for number, _ in rows]
    assert numbers == list(range(1, len(rows) + 1))
    good = [row["id"] for _, row in rows if isinstance(row, dict)]
    assert good[:2] == ["1", "3"]
    assert isinstance(rows[1][1], Unreadable)
    assert rows[1][1].raw == '2,"b'


def test_csv_rejects_a_wrong_number_of_columns() -> None:
    rows = read(b"id,name\n1\n2,b,c\n3,d\n")
    assert [getattr(row, "reason", None) for _, row in rows] == [
        "wrong number of columns",
        "wrong number of columns",
        None,
    ]


def test_csv_rejects_only_the_row_that_is_no_utf8() -> None:
    rows = read(b"id,name\n1,\xff\xfe\n2,b\n")
    assert isinstance(rows[0][1], Unreadable)
    assert rows[0][1].reason == "broken UTF-8"
    assert rows[1][1] == {"id": "2", "name": "b"}


def test_csv_keeps_line_breaks_inside_quotes() -> None:
    assert read(b'id,name\n1,"a\nb"\n')[0][1] == {"id": "1", "name": "a\nb"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"a,a\n", "'a' is there twice"), (b'"a\n', "header is invalid")],
)
def test_csv_refuses_a_file_without_a_right_header(content: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(content)


def test_csv_tells_where_a_torn_gzip_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    lines = b"id\n" + b"".join(b"%d\n" % (number * 7919 % 100_003) for number in range(50_000))
    path.write_bytes(gzip.compress(lines)[:-5000])
    with pytest.raises(ConfigurationError, match=r"a\.csv\.gz cannot be read after row \d+"):
        read(path)


def test_csv_reads_another_delimiter_and_encoding() -> None:
    assert read("id;name\n1;Überlingen\n".encode("latin-1"), delimiter=";", encoding="latin-1") == [
        (1, {"id": "1", "name": "Überlingen"})
    ]


_CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=20))
def test_csv_reads_back_what_the_standard_library_wrote(rows: list[tuple[str, str]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["id", "name"])
    writer.writerows(rows)
    found = read(buffer.getvalue().encode())
    assert [(row["id"], row["name"]) for _, row in found if isinstance(row, dict)] == rows


@given(st.binary(max_size=200))
def test_csv_gives_or_rejects_every_line_whatever_the_bytes(content: bytes) -> None:
    rows = read(b"id,name\n" + content)
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    for _, row in rows:
        assert isinstance(row, (dict, Unreadable))
