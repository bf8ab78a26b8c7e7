"""Writes docs/conformance.md from its tables, so that the page cannot say other than they do.

The tables are conformance.yaml, and what `make conform` found: docs/conformance-suite.yaml (scores) and
docs/conformance-misses.yaml (the reason of each test that fails).

Usage: python scripts/conformance_page.py > docs/conformance.md
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HEAD = """# Conformance

What of the standards is built. This page is made from [conformance.yaml](../conformance.yaml), and from
what `make conform` found with ETSI's own suite.

"""
NGSI_LD = """## NGSI-LD (ETSI GS CIM 009 V1.8.1; V1.9.1 where it only adds)

A test compares the rows with the routes, both ways: a parameter that is known and not built answers 501, an
unknown one 400.

"""
BEHIND = """
### What is behind the operations (ETSI GS CIM 009 V1.9.1, chapters 4 and 5)

A row for each clause that asks for something; a test looks that every operation of chapter 5 has one, and
that each test named is there.

"""
SUITE = """## ETSI's NGSI-LD conformance suite

`make conform GIT_DIR=copy-of-the-suite` holds empty nodes against the suite (a run of Robot Framework, about
a quarter of an hour) and writes this part. Each area meets a node with an empty store, several brokers are
five nodes. What these nodes are set to, and why, is in [scripts/conform.py](../scripts/conform.py).

"""
MISSES = """
Where a test and the specification (ETSI GS CIM 009 V1.9.1) disagree, the specification is followed. These
tests fail, each for the reason told:

| clause | tests | reason |
|---|---|---|
"""
NO_REASON = """
These fail and nobody has told yet why:

| area | test | message |
|---|---|---|
"""
PUBLISHED = """A row for each requirement that the standard publishes; a test looks that none is missing, and
that each test named is there.

"""
TITLES = {
    "OGC 17-069r4": "OGC API Features Part 1: Core",
    "OGC 18-058r1": "OGC API Features Part 2: Coordinate Reference Systems by Reference",
    "OGC 19-079r2": "OGC API Features Part 3: Filtering",
    "OGC 21-065r2": "Common Query Language (CQL2)",
    "OGC 20-057": "OGC API Tiles Part 1: Core",
    "OGC 18-088": "SensorThings API 1.1 Part 1: Sensing",
}


def page() -> str:
    """The page as Markdown."""
    rows: list[dict[str, Any]] = yaml.safe_load((ROOT / "conformance.yaml").read_text())
    text = HEAD
    if (DOCS / "conformance-suite.yaml").exists():
        text += suite(_read("conformance-suite.yaml"), _read("conformance-misses.yaml"))
    ngsi_ld = [row for row in rows if "standard" not in row]
    text += NGSI_LD + _clauses([row for row in ngsi_ld if "title" not in row])
    text += BEHIND + _behind([row for row in ngsi_ld if "title" in row])
    for standard in dict.fromkeys(row["standard"] for row in rows if "standard" in row):
        text += f"\n## {TITLES.get(standard, standard)} ({standard})\n\n" + PUBLISHED
        text += _requirements([row for row in rows if row.get("standard") == standard])
    return text


def suite(scores: dict[str, Any], misses: list[dict[str, Any]]) -> str:
    """What the suite found, as Markdown.

    Args:
        scores: `commit` and `date` of the suite, `areas` (each `passed` and `total`), and the `failed`
            tests (`area`, `file`, `test`, `message`).
        misses: `clause`, `reason` and `tests` (each `file` and `test`).
    """
    areas = scores["areas"]
    single = [(area, row["passed"], row["total"]) for area, row in areas.items() if area != "several"]
    rows = [*single, ("**one broker**", sum(row[1] for row in single), sum(row[2] for row in single))]
    if "several" in areas:
        rows.append(("**several brokers**", areas["several"]["passed"], areas["several"]["total"]))
    text = SUITE + f"The suite as of commit `{scores['commit']}` ({scores['date']}).\n\n"
    text += "| area | passed | total |\n|---|---:|---:|\n"
    text += "".join(f"| {area} | {passed} | {total} |\n" for area, passed, total in rows)
    failed = {(row["file"], row["test"]): row for row in scores["failed"]}
    told = ""
    for miss in misses:
        tests = [test for test in miss["tests"] if failed.pop((test["file"], test["test"]), None)]
        if tests:
            names = ", ".join(f"`{_number(test)}`" for test in tests)
            told += f"| {miss['clause']} | {names} | {miss['reason']} |\n"
    text += MISSES + told if told else ""
    if failed:
        text += NO_REASON
        for row in failed.values():
            message = row["message"].replace("|", "\\|")
            text += f"| {row['area']} | `{_number(row)}` | {message} |\n"
    return text + "\n"


def _number(test: dict[str, Any]) -> str:
    """The test's number, and the folder where tests of several folders share numbers."""
    number = test["test"].split()[0]
    return f"{test['file'].split('/')[-2]} {number}" if number.startswith("IOP_") else number


def _read(name: str) -> Any:
    return yaml.safe_load((DOCS / name).read_text())


def _counts(rows: list[dict[str, Any]]) -> str:
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{counts[status]} {status}" for status in ("done", "todo", "exempt")) + ".\n\n"


def _clauses(rows: list[dict[str, Any]]) -> str:
    text = _counts(rows) + "| clause | what | status | comment |\n|---|---|---|---|\n"
    for row in rows:
        what = " ".join(str(row[key]) for key in ("method", "path") if key in row)
        if "parameter" in row:
            what += f" `{row['parameter']}`"
        text += f"| {row['clause']} | {what} | {row['status']} | {row.get('comment', '')} |\n"
    return text


def _behind(rows: list[dict[str, Any]]) -> str:
    text = _counts(rows) + "| clause | what | status | shown by | comment |\n|---|---|---|---|---|\n"
    for row in rows:
        cells = (row["clause"], row["title"], row["status"], _shown(row), row.get("comment", ""))
        text += f"| {' | '.join(cells)} |\n"
    return text


def _shown(row: dict[str, Any]) -> str:
    return f"`{row['test'].replace('::', '` `')}`" if "test" in row else ""


def _requirements(rows: list[dict[str, Any]]) -> str:
    text = _counts(rows) + "| requirement | status | shown by | comment |\n|---|---|---|---|\n"
    for row in rows:
        text += f"| {row['requirement']} | {row['status']} | {_shown(row)} | {row.get('comment', '')} |\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
