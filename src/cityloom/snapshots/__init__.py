"""Snapshots: results of queries that are frozen, here, to be read and changed by themselves.

It must never know a request or a route; what it freezes it asks of the broker's own Protocol,
so that no snapshot asks whether an entity is local.

Source: ETSI GS CIM 009 clauses 4.3.7, 5.2.41, 5.2.42, 5.3.4, 5.5.15, 5.16.
"""
