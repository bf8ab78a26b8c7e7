"""Values only: entities, attributes, events, errors, settings, the clock.

The lowest room of the house. It imports the standard library and msgspec, does
no I/O, and must never know a store, a network, a web framework or a JSON-LD
`@context` (names inside these values are already expanded to IRIs).
"""
