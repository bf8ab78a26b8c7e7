"""Writes docs/conformance.md from conformance.yaml, so that the page cannot say other than the table.

Usage: python scripts/conformance_page.py > docs/conformance.md
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
HEAD = """# Conformance

What of the standards is built. This page is made from [conformance.yaml](../conformance.yaml).

"""
NGSI_LD = """## NGSI-LD (ETSI GS CIM 009 V1.8.1; V1.9.1 where it only adds)

A test compares the rows with the routes, both ways: a parameter that is known and not built answers 501, an
unknown one 400.

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
    text = HEAD + NGSI_LD + _clauses([row for row in rows if "standard" not in row])
    for standard in dict.fromkeys(row["standard"] for row in rows if "standard" in row):
        text += f"\n## {TITLES.get(standard, standard)} ({standard})\n\n" + PUBLISHED
        text += _requirements([row for row in rows if row.get("standard") == standard])
    return text


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


def _requirements(rows: list[dict[str, Any]]) -> str:
    text = _counts(rows) + "| requirement | status | shown by | comment |\n|---|---|---|---|\n"
    for row in rows:
        shown = f"`{row['test'].replace('::', '` `')}`" if "test" in row else ""
        text += f"| {row['requirement']} | {row['status']} | {shown} | {row.get('comment', '')} |\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
