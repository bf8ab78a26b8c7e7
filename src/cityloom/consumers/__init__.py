"""What follows the log: durable cursors and durable timers.

A consumer is told of every event in order, once its work is committed; what it
writes and how far it has come become durable in one transaction. This room
must never know what a consumer does with the events.
"""
