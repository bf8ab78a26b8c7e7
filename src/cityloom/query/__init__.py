"""One parsed `Query` value and its pure evaluation on one entity.

Subscriptions, rules, federation, the stores and the test oracles all use it.
Names are expanded by a callable handed in: this room must never know a
JSON-LD `@context`, a store or a request.
"""
