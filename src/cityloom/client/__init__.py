"""The city in a notebook: a typed client of a node's HTTP API.

Methods are named as the operations of `/openapi.json` (`queryEntities` is `query_entities`), parameters as
those of the API. Results stream, page by page, and become frames of Polars, pandas or GeoPandas by one call.
It must never know how a node is built: everything comes over HTTP, so it works with any node.
"""

from cityloom.client.city import City
from cityloom.client.entities import Entities
from cityloom.client.events import Change
from cityloom.client.history import AggregatedHistory, History
from cityloom.client.http import CityError
from cityloom.client.items import Items

__all__ = ["AggregatedHistory", "Change", "City", "CityError", "Entities", "History", "Items"]
