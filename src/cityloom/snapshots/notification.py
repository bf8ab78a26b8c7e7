"""What is told of a snapshot to the endpoint that it names.

Source: ETSI GS CIM 009 clauses 5.3.4, 5.16.6, 6.3.5, 6.3.8, 6.3.22.
"""

from __future__ import annotations

import uuid
from typing import Any

from cityloom.ld.context import LdContext
from cityloom.ld.link import write_context_link
from cityloom.model.tenants import snapshot_tenant, tenant_headers
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.snapshots.snapshot import Snapshot, document_of
from cityloom.store.log_ports import Announcement, Delivery


def announced(tenant: str, snapshot: Snapshot, now: int, *, deleted: bool = False) -> list[Delivery]:
    """The notification of a snapshot's state; none where it names no endpoint.

    Args:
        now: microseconds since 1970.
        deleted: it is gone, which is told by an `expiresAt` before `notifiedAt`.
    """
    if snapshot.endpoint is None:
        return []
    told = document_of(snapshot)
    id = f"urn:ngsi-ld:Notification:{uuid.uuid4()}"
    ends = min(parse_datetime(snapshot.expires_at), now - 1) if deleted else None
    status = snapshot.snapshot_status
    body: dict[str, Any] = {
        "id": id,
        "type": "SnapshotNotification",
        "notifiedAt": format_datetime(now),
        "snapshotId": snapshot.id,
        "snapshotStatus": "failure" if status == "preparing" else status,
        "snapshotPriority": snapshot.snapshot_priority,
        "expiresAt": snapshot.expires_at if ends is None else format_datetime(ends),
    }
    if "snapshotQueriesDetails" in told:
        body["snapshotQueriesDetails"] = told["snapshotQueriesDetails"]
    if "snapshotTemporalQueriesDetails" in told:
        body["temporalSnapshotQueriesDetails"] = told["snapshotTemporalQueriesDetails"]
    headers = {pair.key: pair.value for pair in snapshot.receiver_info or ()}
    headers["Link"] = write_context_link(LdContext.core.source)
    headers |= tenant_headers(snapshot_tenant(tenant, snapshot.id))
    announcement = Announcement(endpoint=snapshot.endpoint, headers=headers, notification=body)
    return [Delivery(id=id, tenant=tenant, subscription=snapshot.id, seq=0, body=announcement, due=now)]
