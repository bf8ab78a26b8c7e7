"""Everything that goes out over HTTP passes here: one guarded client.

It knows addresses, time and sizes. It must never know what is carried: no
entity, no `@context`, no notification.
"""
