"""What the standard knows and this node does not do yet: snapshots (501).

Source: ETSI GS CIM 009 clauses 6.36 to 6.38.
"""

from __future__ import annotations

from starlette.responses import Response

from cityloom.model.errors import NotBuilt
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.resource import NGSI_LD_ROOT, Method, Operation

_TABLE: list[tuple[str, Method, str, str]] = [
    ("createSnapshot", "POST", "/snapshots", "6.36.3.1"),
    ("purgeSnapshots", "DELETE", "/snapshots", "6.36.3.2"),
    ("retrieveSnapshot", "GET", "/snapshots/{snapshotId}", "6.37.3.1"),
    ("updateSnapshot", "PATCH", "/snapshots/{snapshotId}", "6.37.3.2"),
    ("deleteSnapshot", "DELETE", "/snapshots/{snapshotId}", "6.37.3.3"),
    ("cloneSnapshot", "POST", "/snapshots/{snapshotId}/clone", "6.38.3.1"),
]


async def refuse(incoming: Incoming) -> Response:
    """501 for every request."""
    raise NotBuilt(f"{incoming.method} {incoming.raw_path[:200]} is not supported yet")


OPERATIONS = [
    Operation(
        name=name,
        method=method,
        path=NGSI_LD_ROOT + path,
        handler=refuse,
        summary="Known to the standard and not built yet",
        clause=clause,
        answers=JSON_TYPES if method == "GET" else (),
        statuses=(501,),
        any_params=True,
    )
    for name, method, path, clause in _TABLE
]
