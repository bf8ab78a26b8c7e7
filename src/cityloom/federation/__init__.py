"""Context sources: who registered to have what, who wants to know of them, and asking them.

It offers the broker's own Protocol, so that no handler asks whether an entity is
local. It must never know a request or a route.

Source: ETSI GS CIM 009 clauses 4.3.6, 4.20, 5.2.8 to 5.2.11, 5.2.34, 5.9, 5.10, 5.12, 6.3.17 to 6.3.19.
"""
