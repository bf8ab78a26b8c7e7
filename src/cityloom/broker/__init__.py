"""The only door to entity data: entities, batches, history, discovery, types, lineage.

It decides what an operation means (ETSI GS CIM 009 clause 5) and asks the
`Access` port before each. It must never know HTTP, a JSON-LD `@context`, or
who answers the ports.
"""
