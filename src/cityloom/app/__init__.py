"""The only place that builds and wires: a `Node` from a city's folder, and the web application over it.

Nothing here decides anything about entities, subscriptions or sources; it makes the rooms, hands each
the ports that it asked for, and starts and stops what runs in the background. What stands between two
rooms that do not know each other, as cases and rules, is here, too.
"""

from cityloom.app.node import Node, create_app

__all__ = ["Node", "create_app"]
