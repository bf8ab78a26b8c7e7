"""Writes docs/conformance.md from conformance.yaml, so that the page cannot say other than the table.

Usage: python scripts/conformance_page.py > docs/conformance.md
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
HEAD = """# Conformance

What of NGSI-LD (ETSI GS CIM 009 V1.8.1; V1.9.1 where it only adds) is built. This page is made from
[conformance.yaml](../conformance.yaml), which a test compares with the routes, both ways: a parameter that is
known and not built answers 501, an unknown one 400.

"""


def page() -> str:
    """The page as Markdown."""
    rows: list[dict[str, Any]] = yaml.safe_load((ROOT / "conformance.yaml").read_text())
    counts = Counter(row["status"] for row in rows)
    text = HEAD + ", ".join(f"{counts[status]} {status}" for status in ("done", "todo", "exempt")) + ".\n\n"
    text += "| clause | what | status | comment |\n|---|---|---|---|\n"
    for row in rows:
        what = " ".join(str(row[key]) for key in ("method", "path") if key in row)
        if "parameter" in row:
            what += f" `{row['parameter']}`"
        text += f"| {row['clause']} | {what} | {row['status']} | {row.get('comment', '')} |\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
