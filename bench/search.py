"""How a search could be made, and what each way costs: `python bench/search.py FOLDER [--entities N]`.

Three ways over the same names (a third with Chinese ones) and ids, in a file of their own:

- a walk: the narrow table alone, every row looked at with instr();
- trigram: an FTS5 index of trigrams beside it; it cannot answer texts of one or two characters,
  which is most of what is typed in Chinese, so these walk all the same;
- letters: an FTS5 index of single characters, each a token, and phrases of them.

Measured: microseconds a row of writing (in transactions of 1,000), bytes a row, and milliseconds for
each text looked for, with the ranking that `/map/search` does. Times are the processor's.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import apsw

from cityloom.store.tables.entities.sights import fold

WORDS = ["Upper", "Lower", "North", "South", "East", "West", "Old", "New", "Harbour", "River", "Station"]
CHARS = "上下东西南北老新港河站市园山桥门路灯区街口里"
TEXTS = ["路", "老港", "light", "harbour", "oldgate", "123456", "ha", "zzz"]


def rows(count: int) -> list[tuple[int, str, str]]:
    """(row, folded names, id)."""
    draw = random.Random(1)
    made = []
    for number in range(count):
        names = [f"{draw.choice(WORDS)} {draw.choice(WORDS)} light {number}"]
        if number % 3 == 0:
            names.append("".join(draw.choices(CHARS, k=5)))
        text = "\n" + "".join(fold(name) + "\n" for name in names)
        made.append((number + 1, text, f"urn:ngsi-ld:Streetlight:bench:{number:07}"))
    return made


def spread(text: str) -> str:
    return " ".join(text.replace(" ", "_").replace("\n", "|"))


def ways(db: apsw.Connection) -> dict[str, Any]:
    """Table, how a row is written, how a text is looked for."""
    db.execute("CREATE TABLE walk (row INTEGER PRIMARY KEY, text TEXT, id TEXT)")
    db.execute("CREATE VIRTUAL TABLE trigram USING fts5(text, id, tokenize='trigram', detail=full)")
    db.execute("CREATE VIRTUAL TABLE letters USING fts5(text, tokenize=\"unicode61 tokenchars '_|'\")")
    ranked = "ORDER BY instr(s.text, char(10) || :text) = 0, instr(s.text, :text), s.id LIMIT 21"
    return {
        "walk": (
            "INSERT INTO walk VALUES (?, ?, ?)",
            lambda row: row,
            f"SELECT s.id FROM walk s WHERE instr(s.text, :text) OR instr(lower(s.id), :text) {ranked}",
            lambda text: text,
        ),
        "trigram": (
            "INSERT INTO trigram (rowid, text, id) VALUES (?, ?, ?)",
            lambda row: row,
            "SELECT s.id FROM trigram f CROSS JOIN walk s ON s.row = f.rowid"
            f" WHERE f.trigram MATCH :match {ranked}",
            lambda text: f'"{text}"' if len(text) > 2 else None,
        ),
        "letters": (
            "INSERT INTO letters (rowid, text) VALUES (?, ?)",
            lambda row: (row[0], spread(row[1] + row[2])),
            "SELECT s.id FROM letters f CROSS JOIN walk s ON s.row = f.rowid"
            f" WHERE f.letters MATCH :match {ranked}",
            lambda text: f'"{spread(text)}"',
        ),
    }


def main() -> None:
    """Runs the measurements and prints them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entities", type=int, default=270_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "search.db"
    file.unlink(missing_ok=True)
    db = apsw.Connection(str(file))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA cache_size=-131072")
    every = rows(options.entities)
    found: dict[str, Any] = {}
    for name, (insert, made, select, match) in ways(db).items():
        begin = time.thread_time()
        for first in range(0, len(every), 1000):
            with db:
                db.executemany(insert, map(made, every[first : first + 1000]))
        spent = (time.thread_time() - begin) / len(every)
        size = db.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE name GLOB ? OR name = ?", (f"{name}_*", name)
        ).get
        times = {}
        for text in TEXTS:
            wanted = match(text)
            if wanted is None:
                times[text] = None
                continue
            begin = time.thread_time()
            db.execute(
                select, {"text": text, "match": wanted} if "match" in select else {"text": text}
            ).fetchall()
            times[text] = round((time.thread_time() - begin) * 1000, 1)
        found[name] = {
            "µs a row": round(spent * 1e6, 1),
            "bytes a row": round(size / len(every)),
            "ms": times,
        }
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
