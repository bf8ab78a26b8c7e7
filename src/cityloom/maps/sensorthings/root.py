"""What the service says of itself: its sets, its options, and what it conforms to.

Source: OGC 18-088 clauses 9.2.1 and 9.3.
"""

from __future__ import annotations

from typing import Any, Final

from cityloom.maps.sensorthings.model import KINDS

OPTIONS: Final = frozenset(
    {"$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$resultFormat"}
)
"""The query options that are answered."""

_REQUIREMENTS: Final = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
CONFORMANCE: Final = tuple(
    _REQUIREMENTS + name
    for name in (
        "datamodel",
        "resource-path/resource-path-to-entities",
        "request-data",
        "data-array/data-array",
    )
)
"""The requirements classes that the read view meets."""


def service_root(root: str) -> dict[str, Any]:
    """The sets and what the service conforms to (clause 9.2.1)."""
    return {
        "value": [{"name": name, "url": f"{root}/{name}"} for name in KINDS],
        "serverSettings": {"conformance": list(CONFORMANCE)},
    }
