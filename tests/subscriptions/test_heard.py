"""What a subscriber was told already is no news, by whatever way it comes; everything else is."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cityloom.model.entity import NULL, Attribute, Entity
from cityloom.model.events import AttributeChange, Cause, Event
from cityloom.subscriptions.heard import Heard

SUBSCRIPTION = "urn:ngsi-ld:Subscription:1"
POWER = "urn:t:power"


def at(minute: int) -> str:
    return f"2026-05-01T12:{minute:02}:00Z"


def lamp(value: object = None, changed: int | None = None, gone: int | None = None) -> Entity:
    stamp = None if changed is None else at(changed)
    attributes = (
        {} if value is None else {POWER: [Attribute(kind="Property", value=value, modified_at=stamp)]}
    )
    return Entity(
        id="urn:t:1",
        types=["urn:t:Lamp"],
        attributes=attributes,
        modified_at=stamp,
        deleted_at=None if gone is None else at(gone),
    )


def event(before: object, after: object, changed: int = 0) -> Event:
    def one(value: object) -> Attribute | None:
        return None if value is None else Attribute(kind="Property", value=value, modified_at=at(changed))

    change = AttributeChange(name=POWER, before=one(before), after=one(after))
    cause = Cause(kind="request", id="request:1")
    return Event(
        seq=changed, tenant="", at=0, kind="entityUpdated", entity_id="urn:t:1", cause=cause, changes=[change]
    )


class Listener:
    """A shared subscription; each notification is a delivery of its own."""

    def __init__(self, most: int = 10) -> None:
        self.heard = Heard(most)
        self.heard.share("", SUBSCRIPTION, shared=True)
        self.count = 0

    def there(self, told: Entity, *, projected: bool = False) -> bool:
        self.count += 1
        return self.heard.news_there("", SUBSCRIPTION, told, f"d{self.count}", projected=projected)

    def here(self, before: object, after: object, changed: int = 0) -> bool:
        state = lamp(after, changed)
        return self.heard.news_here(event(before, after, changed), SUBSCRIPTION, state)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_each_state_is_news_once_until_another_comes(values: list[int]) -> None:
    listener = Listener()
    changes = [value for number, value in enumerate(values) if number == 0 or value != values[number - 1]]
    assert [value for value in values if listener.there(lamp(value))] == changes


def test_state_that_comes_late_by_a_slower_way_is_no_news() -> None:
    listener = Listener()
    first, second = lamp("on", 1), lamp("off", 2)
    assert listener.there(first)
    assert listener.there(second)
    assert not listener.there(first)
    assert not listener.there(second)
    assert listener.there(lamp("on", 3))


def test_change_made_here_and_there_is_news_once_in_either_order() -> None:
    listener = Listener()
    assert listener.here("off", "on", 1)
    assert not listener.there(lamp("on", 2))
    assert listener.there(lamp("off", 3))
    assert not listener.here("on", "off", 4)
    assert listener.here("off", "on", 5)


def test_deletion_is_news_once_and_what_comes_after_it_is_news() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    assert listener.there(lamp(gone=2))
    assert not listener.there(lamp(gone=3))
    assert listener.there(lamp("on", 4))


def test_attribute_that_went_is_news_once() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    assert listener.here("on", None, 2)
    gone = Attribute(kind="Property", value=NULL, deleted_at=at(3))
    assert not listener.there(msgspec.structs.replace(lamp(), attributes={POWER: [gone]}))


def test_change_of_what_is_not_shown_is_news_by_the_time_of_the_entity() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1), projected=True)
    assert listener.there(msgspec.structs.replace(lamp("on", 1), modified_at=at(2)), projected=True)
    assert not listener.there(lamp("on", 1), projected=True)
    without = msgspec.structs.replace(lamp("on"), modified_at=None)
    assert listener.there(without, projected=True)
    assert listener.there(without, projected=True)


def test_delivery_that_is_tried_again_is_news_still() -> None:
    heard = Listener().heard
    for _ in range(2):
        assert heard.news_there("", SUBSCRIPTION, lamp("on", 1), "d", projected=False)


def test_subscription_that_is_not_shared_holds_nothing_back() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    listener.heard.share("", SUBSCRIPTION, shared=False)
    assert listener.here("off", "on", 2)


def test_what_is_forgotten_is_news() -> None:
    listener = Listener(most=1)
    assert listener.there(lamp("on", 1))
    assert listener.there(msgspec.structs.replace(lamp("on", 1), id="urn:t:2"))
    assert listener.there(lamp("on", 1))
