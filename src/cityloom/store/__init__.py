"""Where the city is kept: ports (one Protocol per port) and the stores behind them.

A store never sees a request and never knows a JSON-LD `@context`. The law, one
test suite in `tests/laws/`, states what every store promises.
"""
