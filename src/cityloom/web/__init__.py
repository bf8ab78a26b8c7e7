"""The HTTP binding: NGSI-LD's (ETSI GS CIM 009 clause 6) and that of our own API.

One module per resource; `problem` (error -> status), `params`, `body`,
`ld_context` and `paging` are shared by all. It translates between requests and
the ports handed in (`services`) and decides nothing about data: it must never
know SQL, how a broker decides, or who answers a port.
"""
