"""Who this node is to others: a pseudonym that no other node has.

Source: ETSI GS CIM 009 clauses 4.3.6.4, 5.2.40; RFC 7230 (pseudonym: a token).
"""

from __future__ import annotations

import uuid

from cityloom.store.ports import Store, Transaction

_KIND = "node"
_ID = "identity"


def node_alias(store: Store, name: str) -> str:
    """The pseudonym of the node that keeps this store: its city's name, and a mark made once.

    Two nodes of one city must not be taken for each other, else a request that one forwards to
    the other would look as if it went round in a loop.
    """

    def work(tx: Transaction) -> str:
        document = tx.document("", _KIND, _ID)
        if document is not None:
            return str(document.body["mark"])
        mark = uuid.uuid4().hex[:12]
        tx.set_state("", _KIND, _ID, {"mark": mark})
        return mark

    letters = [char if char.isascii() and char.isalnum() else "-" for char in name.lower()]
    mark = store.submit(work).result()
    return f"cityloom-{''.join(letters).strip('-') or 'city'}-{mark}"
