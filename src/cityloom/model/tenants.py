"""Tenants, and the snapshots of them: a snapshot's data stand in a tenant of its own that nobody can name.

Source: ETSI GS CIM 009 clauses 4.14, 5.5.10, 5.5.15, 6.3.14, 6.3.22.
"""

from __future__ import annotations

from typing import Final

TENANT_HEADER: Final = "NGSILD-Tenant"
SNAPSHOT_HEADER: Final = "NGSILD-Snapshot"
_MARK: Final = "\x1f"
"""Not printable, and so in no name of a tenant that comes from outside."""


def snapshot_tenant(tenant: str, snapshot_id: str) -> str:
    """Where the data of a snapshot of `tenant` stand."""
    return f"{_MARK}{tenant}{_MARK}{snapshot_id}"


def split_tenant(tenant: str) -> tuple[str, str]:
    """The tenant and the snapshot of it; "" where it is the tenant itself."""
    if not tenant.startswith(_MARK):
        return tenant, ""
    base, _, snapshot_id = tenant[1:].partition(_MARK)
    return base, snapshot_id


def tenant_headers(tenant: str) -> dict[str, str]:
    """The headers that name a tenant and its snapshot in what is sent; none for the default tenant."""
    base, snapshot_id = split_tenant(tenant)
    told = {TENANT_HEADER: base, SNAPSHOT_HEADER: snapshot_id}
    return {name: value for name, value in told.items() if value}
