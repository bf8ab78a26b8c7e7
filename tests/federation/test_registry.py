"""What is known of registrations follows the log, and survives a restart."""

from pathlib import Path

from cityloom.federation.registrations.following import RegistrationsFollowed
from cityloom.federation.registrations.registration import Information, Registration
from cityloom.federation.registrations.registry import Registry
from cityloom.federation.registrations.service import Registrations
from cityloom.model.settings import Settings
from cityloom.model.time import parse_datetime
from tests.federation.helpers import ENTITIES, LAMP, REGISTRATIONS, lamp, prop, register
from tests.federation.source import Source
from tests.web.node import open_services, running

ID = "urn:ngsi-ld:ContextSourceRegistration:1"


def made(endpoint: str, **members: str) -> Registration:
    return Registration(id=ID, endpoint=endpoint, information=[Information(property_names=["x"])], **members)


def test_later_event_wins_in_whatever_order_news_comes() -> None:
    registry = Registry()
    registry.put("", ID, 5, made("http://b"))
    registry.put("", ID, 4, made("http://a"))
    assert [one.endpoint for one in registry.of("", 0)] == ["http://b"]
    registry.put("", ID, 6, None)
    registry.put("", ID, 5, made("http://b"))
    assert list(registry.of("", 0)) == []
    registry.put("", ID, 7, made("http://c"))
    assert [one.endpoint for one in registry.of("", 0)] == ["http://c"]
    assert list(registry.of("other", 0)) == []


def test_expired_registration_is_known_no_more() -> None:
    registry = Registry()
    end = "2026-05-01T12:00:00Z"
    registry.put("", ID, 1, made("http://a", expires_at=end))
    assert len(registry.of("", parse_datetime(end) - 1)) == 1
    assert list(registry.of("", parse_datetime(end))) == []


async def test_registrations_and_how_they_fared_survive_a_restart(tmp_path: Path, source: Source) -> None:
    source.body = lamp(1, power=prop("on"))
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        id = await register(node, source.url)
        assert (await node.get(f"{ENTITIES}/{LAMP}")).status == 200
        assert isinstance(services.registrations, Registrations)
        await services.registrations.flush()
    async with open_services(tmp_path, Settings()) as services, running(services) as node:
        assert isinstance(services.registrations, Registrations)
        await services.registrations.start()
        assert (await node.get(f"{ENTITIES}/{LAMP}")).json["power"]["value"] == "on"
        assert (await node.get(f"{REGISTRATIONS}/{id}")).json["timesSent"] == 2


def test_who_follows_the_log_makes_changes_known() -> None:
    registry = Registry()

    class Still:
        def now(self) -> int:
            return 0

    followed = RegistrationsFollowed(registry, Still())
    body = {"id": ID, "endpoint": "http://a", "information": [{"propertyNames": ["x"]}]}
    followed.follow("port", ID, 3, body)
    assert [one.endpoint for one in registry.of("port", 0)] == ["http://a"]
    followed.follow("port", ID, 4, None)
    assert list(registry.of("port", 0)) == []
