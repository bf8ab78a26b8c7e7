"""How a notification leaves the house: HTTP (clause 6.3.8), or MQTT (clause 7.2, see `mqtt`)."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from cityloom.model.errors import OutgoingFailed, OutgoingRefused
from cityloom.net.client import Outgoing
from cityloom.subscriptions.document import Endpoint
from cityloom.subscriptions.payload import Message

MQTT_VERSIONS: Final = ("mqtt3.1.1", "mqtt5.0")
"""What `MQTT-Version` may be (Table 7.2-1)."""


class Undelivered(Exception):
    """A notification that did not arrive.

    Args:
        reason: one sentence.
        endpoint_down: nobody answered at all, so that others need not try now.
    """

    def __init__(self, reason: str, *, endpoint_down: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.endpoint_down = endpoint_down


class Transport(Protocol):
    """One way to an endpoint."""

    async def send(self, endpoint: Endpoint, delivery: str, message: Message) -> None:
        """Delivers `message` once; returns when the other side has it. Raises Undelivered."""
        ...

    async def close(self) -> None:
        """Closes what it holds open."""
        ...


class Http:
    """POST to the endpoint; any 2xx is an acknowledgement.

    The delivery's id goes along as `Idempotency-Key`, the same at every try.
    """

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def send(self, endpoint: Endpoint, delivery: str, message: Message) -> None:
        """See `Transport.send`."""
        headers = {**message.headers, "Content-Type": message.content_type, "Idempotency-Key": delivery}
        timeout = endpoint.timeout / 1000 if endpoint.timeout is not None else None
        try:
            reply = await self._outgoing.post(
                endpoint.uri, headers=headers, body=msgspec.json.encode(message.body), timeout=timeout
            )
        except OutgoingRefused as error:
            raise Undelivered(error.detail, endpoint_down=False) from None
        except OutgoingFailed as error:
            raise Undelivered(error.detail, endpoint_down=True) from None
        if not 200 <= reply.status < 300:
            raise Undelivered(f"answered {reply.status}", endpoint_down=reply.status in (429, 503))

    async def close(self) -> None:
        """The client belongs to the house, not to this transport."""


def check_notifier_info(endpoint: Endpoint) -> str | None:
    """What is wrong with the MQTT parameters of an endpoint (Table 7.2-1), or None."""
    notifier = {pair.key: pair.value for pair in endpoint.notifier_info}
    if notifier.get("MQTT-QoS", "0") not in ("0", "1", "2"):
        return f"MQTT-QoS is invalid: {notifier['MQTT-QoS']!r} is none of 0, 1, 2"
    if notifier.get("MQTT-Version", "mqtt5.0") not in MQTT_VERSIONS:
        return f"MQTT-Version is invalid: {notifier['MQTT-Version']!r} is none of {', '.join(MQTT_VERSIONS)}"
    return None
