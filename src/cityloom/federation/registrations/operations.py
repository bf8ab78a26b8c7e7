"""The names of operations that a context source may say it supports, and their groups.

Source: ETSI GS CIM 009 clause 4.20 (Tables 4.20-1 and 4.20-2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_PROVISION: Final = frozenset(
    [
        "createEntity",
        "updateEntity",
        "appendAttrs",
        "updateAttrs",
        "deleteAttrs",
        "deleteEntity",
        "createBatch",
        "upsertBatch",
        "updateBatch",
        "deleteBatch",
        "upsertTemporal",
        "appendAttrsTemporal",
        "deleteAttrsTemporal",
        "updateAttrInstanceTemporal",
        "deleteAttrInstanceTemporal",
        "deleteTemporal",
        "mergeEntity",
        "replaceEntity",
        "replaceAttrs",
        "mergeBatch",
        "purgeEntity",
    ]
)
_TYPES: Final = frozenset(
    [
        "retrieveEntityTypes",
        "retrieveEntityTypeDetails",
        "retrieveEntityTypeInfo",
        "retrieveAttrTypes",
        "retrieveAttrTypeDetails",
        "retrieveAttrTypeInfo",
    ]
)
_SUBSCRIPTIONS: Final = frozenset(
    [
        "createSubscription",
        "updateSubscription",
        "retrieveSubscription",
        "querySubscription",
        "deleteSubscription",
    ]
)
_MAPS: Final = frozenset(
    ["retrieveEntityMap", "updateEntityMap", "deleteEntityMap", "createEntityMapQueryEntity"]
)
_IDENTITY: Final = "retrieveContextSourceIdentity"

NAMES: Final = (
    _PROVISION
    | _TYPES
    | _SUBSCRIPTIONS
    | _MAPS
    | {"retrieveEntity", "queryEntity", "queryBatch", "retrieveTemporal", "queryTemporal"}
    | {"createEntityMapQueryTemporal", _IDENTITY}
)
"""Every operation that has a name."""

_ASSOCIATION: Final = _TYPES | _SUBSCRIPTIONS | {"retrieveEntity", "queryEntity", "queryBatch", _IDENTITY}
GROUPS: Final[dict[str, frozenset[str]]] = {
    "federationOps": _ASSOCIATION | _MAPS,
    "associationOps": _ASSOCIATION,
    "updateOps": frozenset({"updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs"}),
    "retrieveOps": frozenset({"retrieveEntity", "queryEntity"}),
    "redirectionOps": _TYPES
    | _MAPS
    | {"createEntity", "updateEntity", "appendAttrs", "updateAttrs", "deleteAttrs", "deleteEntity"}
    | {"mergeEntity", "replaceEntity", "replaceAttrs", "retrieveEntity", "queryEntity", "purgeEntity"}
    | {_IDENTITY},
}
DEFAULT_GROUP: Final = "federationOps"
AUXILIARY: Final = frozenset({"retrieveOps", "retrieveEntity", "queryEntity"})
"""What an auxiliary source may say that it supports (5.9.2.4)."""


def supported(operations: Sequence[str] | None) -> frozenset[str]:
    """The names of the operations that a source supports, its groups spelled out."""
    given = [DEFAULT_GROUP] if operations is None else operations
    return frozenset().union(*(GROUPS.get(name, frozenset({name})) for name in given))
