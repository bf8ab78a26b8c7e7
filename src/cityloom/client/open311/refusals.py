"""What a server must refuse, and how it tells.

Source: GeoReport v2: Possible Errors, Errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cityloom.client.open311.fetch import Reply, text_of
from cityloom.client.open311.findings import Findings

UNKNOWN: Final = "cityloom-open311-check-unknown"
"""A name that no server knows."""


def expect_error(findings: Findings, reply: Reply, statuses: Sequence[int]) -> None:
    """An answer that must be an error of one of these statuses, with its list of codes."""
    if reply.status not in statuses:
        wanted = " or ".join(map(str, statuses))
        findings.error("error.status", f"{reply.status} instead of {wanted} at {reply.url}")
        return
    findings.ok("error.status", f"{reply.status} at {reply.url}")
    told = reply.value if isinstance(reply.value, list) else []
    if not told or not all(text_of(one.get("code")) and text_of(one.get("description")) for one in told):
        findings.error("error.body", f"no list of code and description at {reply.url}")
    findings.ok("error.body", f"code and description at {reply.url}")
