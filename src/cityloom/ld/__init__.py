"""JSON-LD: contexts compiled to term maps, documents to entities and back.

It knows the standard's representations and how names become IRIs. It must
never know a request, a store or a socket: documents come in as plain values,
remote ones through a fetcher that is handed in, kept ones through a port.
"""
