"""A change looks at the subscriptions that name its entity or type, and at no others."""

from __future__ import annotations

from cityloom.model.entity import Attribute
from cityloom.model.events import AttributeChange, Cause, Event
from cityloom.subscriptions.compiled import Compiled
from cityloom.subscriptions.document import Endpoint, Notification, Selector, Subscription
from cityloom.subscriptions.index import Index

TYPE = "https://uri.etsi.org/ngsi-ld/default-context/Lamp"
NAME = "https://uri.etsi.org/ngsi-ld/default-context/power"
NOTIFICATION = Notification(endpoint=Endpoint(uri="http://127.0.0.1:1/"))


def subscription(name: str, *ids: str, watched: list[str] | None = None) -> Compiled:
    """A subscription to lamps, or to these of them."""
    return Compiled(
        Subscription(
            id=f"urn:s:{name}",
            notification=NOTIFICATION,
            entities=[Selector(type="Lamp", id=list(ids))] if ids else [Selector(type="Lamp")],
            watched_attributes=watched,
            names={"entities": {"Lamp": TYPE}},
        )
    )


def change(entity_id: str) -> Event:
    """A change of a lamp's power."""
    return Event(
        seq=1,
        tenant="",
        at=1,
        kind="entityUpdated",
        entity_id=entity_id,
        cause=Cause(kind="system", id="x"),
        types=[TYPE],
        changes=[AttributeChange(name=NAME, after=Attribute(kind="Property", value=1))],
    )


def found(index: Index, entity_id: str) -> list[str]:
    """The names of the candidates of a change."""
    return [each.subscription.id.removeprefix("urn:s:") for each in index.candidates(change(entity_id))]


def test_candidates_are_those_of_the_entity_and_those_of_its_type() -> None:
    index = Index()
    for number in range(100):
        index.put("", subscription(f"one{number}", f"urn:l:{number}", watched=[NAME]))
    index.put("", subscription("all"))
    index.put("", subscription("two", "urn:l:7", "urn:l:8"))
    assert found(index, "urn:l:7") == ["all", "one7", "two"]
    assert found(index, "urn:l:none") == ["all"]


def test_subscription_that_names_other_entities_leaves_the_old_ones() -> None:
    index = Index()
    index.put("", subscription("a", "urn:l:1"))
    index.put("", subscription("a", "urn:l:2"))
    assert (found(index, "urn:l:1"), found(index, "urn:l:2")) == ([], ["a"])
    index.remove("", "urn:s:a")
    assert found(index, "urn:l:2") == []
