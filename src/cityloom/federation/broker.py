"""The broker of this node and of everything that registered at it, behind the one Protocol.

Source: ETSI GS CIM 009 clause 4.3.6.
"""

from __future__ import annotations

from cityloom.federation.maps.mapped import FederatedMaps
from cityloom.federation.reading.discovery import FederatedDiscovery
from cityloom.federation.writing.batches import FederatedBatches
from cityloom.federation.writing.past import FederatedPast


class FederatedBroker(FederatedMaps, FederatedDiscovery, FederatedBatches, FederatedPast):
    """Answers the `Broker` port from this node's store and from registered context sources.

    A call without `forwarding`, one that is to stay here, and every operation while nothing is
    registered, go the way of `LocalBroker`.
    """
