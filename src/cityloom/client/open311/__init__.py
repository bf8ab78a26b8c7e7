"""A validator for any Open311 server: what it answers is held against GeoReport v2, clause by clause.

It knows a server by HTTP alone, and nothing of how ours is built.
"""

from cityloom.client.open311.check import check
from cityloom.client.open311.findings import Finding
from cityloom.client.open311.post import Trial

__all__ = ["Finding", "Trial", "check"]
