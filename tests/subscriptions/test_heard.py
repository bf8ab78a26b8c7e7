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
    return f"2026-05-01T{minute // 60:02}:{minute % 60:02}:00Z"


def lamp(value: object = None, changed: int | None = None, gone: int | None = None) -> Entity:
    stamp = None if changed is None else at(changed)
    one = Attribute(kind="Property", value=value, modified_at=stamp)
    return Entity(
        id="urn:t:1",
        types=["urn:t:Lamp"],
        attributes={} if value is None else {POWER: [one]},
        modified_at=stamp,
        deleted_at=None if gone is None else at(gone),
    )


def event(before: object, after: object, changed: int) -> Event:
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

    def there(self, told: Entity, place: str = "a", *, projected: bool = False) -> bool:
        self.count += 1
        return self.heard.news_there("", SUBSCRIPTION, told, f"d{self.count}", place, projected=projected)

    def here(self, before: object, after: object, changed: int) -> bool:
        return self.heard.news_here(event(before, after, changed), SUBSCRIPTION, lamp(after, changed))


@given(st.lists(st.integers(0, 2), max_size=20), st.data())
def test_each_change_is_told_once_by_however_many_ways_it_comes(
    values: list[int], data: st.DataObject
) -> None:
    """Each way keeps the order, and none is more than eight changes behind."""
    listener = Listener()
    changes = [lamp(value, number) for number, value in enumerate(values)]
    done = {"a": 0, "b": 0, "c": 0}
    told: list[Entity] = []
    while min(done.values()) < len(changes):
        able = [way for way, count in done.items() if count < min(len(changes), min(done.values()) + 8)]
        way = data.draw(st.sampled_from(able))
        change = changes[done[way]]
        done[way] += 1
        if listener.there(change, way):
            told.append(change)
    assert told == changes


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=30))
def test_one_place_tells_all_that_fits(readings: list[tuple[int, bool]]) -> None:
    """Also where it comes back to a value over one that did not fit."""
    for timed in (True, False):
        listener = Listener()
        for number, (value, fits) in enumerate(readings):
            state = lamp(value, number if timed else None)
            if fits:
                assert listener.there(state)
            else:
                listener.heard.not_told("", SUBSCRIPTION, state)


def test_state_that_comes_late_by_a_slower_way_is_no_news() -> None:
    listener = Listener()
    first, second = lamp("on", 1), lamp("off", 2)
    assert listener.there(first)
    assert listener.there(second)
    assert not listener.there(first, "b")
    assert not listener.there(second, "b")
    assert listener.there(lamp("on", 3), "b")
    assert not listener.there(lamp("on", 3))


def test_change_made_here_and_there_is_news_once_in_either_order() -> None:
    listener = Listener()
    assert listener.here("off", "on", 1)
    assert not listener.there(lamp("on", 2))
    assert listener.there(lamp("off", 3))
    assert not listener.here("on", "off", 4)
    assert listener.here("off", "on", 5)
    assert not listener.there(lamp("on", 6))


def test_other_place_that_comes_back_to_a_value_is_news() -> None:
    listener = Listener()
    assert listener.here("off", "on", 1)
    listener.heard.not_told("", SUBSCRIPTION, lamp("off", 2))
    assert listener.there(lamp("on", 3))


def test_deletion_is_news_once_and_what_comes_after_it_is_news() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    assert listener.there(lamp(gone=2))
    assert not listener.there(lamp(gone=3), "b")
    assert listener.there(lamp("on", 4))
    assert listener.there(lamp(gone=5))
    assert listener.there(lamp(gone=6))


def test_attribute_that_went_is_news_once() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    assert listener.here("on", None, 2)
    gone = Attribute(kind="Property", value=NULL, deleted_at=at(3))
    assert not listener.there(msgspec.structs.replace(lamp(), attributes={POWER: [gone]}))


def test_change_of_what_is_not_shown_is_news_by_the_time_of_the_entity() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1), projected=True)
    later = msgspec.structs.replace(lamp("on", 1), modified_at=at(2))
    assert listener.there(later, projected=True)
    assert not listener.there(later, "b", projected=True)
    without = msgspec.structs.replace(lamp("on"), modified_at=None)
    assert listener.there(without, projected=True)
    assert listener.there(without, "b", projected=True)


def test_delivery_that_is_tried_again_is_news_still() -> None:
    heard = Listener().heard
    for _ in range(2):
        assert heard.news_there("", SUBSCRIPTION, lamp("on", 1), "d", "a", projected=False)


def test_subscription_that_is_not_shared_holds_nothing_back() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    listener.heard.share("", SUBSCRIPTION, shared=False)
    assert listener.here("off", "on", 2)


def test_what_was_told_before_the_subscription_changed_is_news() -> None:
    listener = Listener()
    assert listener.there(lamp("on", 1))
    listener.heard.changed("", SUBSCRIPTION)
    assert listener.there(lamp("on", 1), "b")


def test_what_is_forgotten_is_news() -> None:
    listener = Listener(most=1)
    assert listener.there(lamp("on", 1))
    assert listener.there(msgspec.structs.replace(lamp("on", 1), id="urn:t:2"))
    assert listener.there(lamp("on", 1), "b")
