"""Subscriptions: which of them an event touches, and telling their endpoints.

A consumer of the log: it keeps no second truth, since the subscriptions it
knows are events of the same log. It must never know a request or a route.

Source: ETSI GS CIM 009 clauses 5.2.12 to 5.2.15, 5.3.1, 5.8, 6.3.8 and 7.
"""
