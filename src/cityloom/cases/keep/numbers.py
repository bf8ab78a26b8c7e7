"""A case's number: what people read, say and search by, and the id that it stands for.

The number is all that follows `urn:ngsi-ld:Case:` in the id: `2026-000123`, or `boston:101002176` of a
case that came from another system. So each number is that of one case, and every door takes it.
"""

from __future__ import annotations

from typing import Final

CASE_ID: Final = "urn:ngsi-ld:Case:"


def number_of(case_id: str) -> str:
    """The number of a case."""
    return case_id.removeprefix(CASE_ID)


def full_id(named: str) -> str:
    """The id of a case that was named by its number or its id; "" stays ""."""
    return named if not named or named.startswith("urn:") else CASE_ID + named
