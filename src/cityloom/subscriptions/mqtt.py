"""How a notification leaves the house over MQTT (clause 7.2).

It loads the MQTT client, so it is imported when a city has its first endpoint of that kind.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec
from aiomqtt import ProtocolVersion

from cityloom.model.errors import OutgoingFailed, OutgoingRefused
from cityloom.net.client import Outgoing
from cityloom.subscriptions.document import Endpoint
from cityloom.subscriptions.payload import Message
from cityloom.subscriptions.transport import MQTT_VERSIONS, Undelivered

_PROTOCOLS: Final = dict(zip(MQTT_VERSIONS, (ProtocolVersion.V311, ProtocolVersion.V5), strict=True))


class _Broker(NamedTuple):
    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    version: ProtocolVersion


class Mqtt:
    """Publishes `{metadata, body}` on the topic that the URI names; connections are kept open."""

    def __init__(self, outgoing: Outgoing, timeout: float) -> None:
        self._outgoing = outgoing
        self._timeout = timeout
        self._clients: dict[_Broker, aiomqtt.Client] = {}
        self._locks: dict[_Broker, asyncio.Lock] = {}

    async def send(self, endpoint: Endpoint, delivery: str, message: Message) -> None:
        """See `Transport.send`; with QoS 0 "has it" means that it was handed to the network."""
        notifier = {pair.key: pair.value for pair in endpoint.notifier_info}
        broker, topic = _address(endpoint.uri, notifier.get("MQTT-Version", "mqtt5.0"))
        metadata = {**message.headers, "Content-Type": message.content_type, "Idempotency-Key": delivery}
        document: dict[str, Any] = {"metadata": metadata, "body": message.body}
        timeout = endpoint.timeout / 1000 if endpoint.timeout is not None else self._timeout
        try:
            async with asyncio.timeout(timeout):
                qos = int(notifier.get("MQTT-QoS", "0"))
                kept = broker in self._clients
                try:
                    await self._publish(broker, topic, document, qos)
                except aiomqtt.MqttError:
                    if not kept:
                        raise
                    # The other side may have closed what was kept open: that is no failure yet.
                    await self._drop(broker)
                    await self._publish(broker, topic, document, qos)
        except OutgoingRefused as error:
            raise Undelivered(error.detail, endpoint_down=False) from None
        except (aiomqtt.MqttError, OutgoingFailed, OSError, TimeoutError) as error:
            await self._drop(broker)
            reason = f"{broker.host}:{broker.port} could not be reached: {error or type(error).__name__}"
            raise Undelivered(reason, endpoint_down=True) from None

    async def _publish(self, broker: _Broker, topic: str, document: dict[str, Any], qos: int) -> None:
        client = await self._client(broker)
        await client.publish(topic, msgspec.json.encode(document), qos=qos, timeout=self._timeout)

    async def close(self) -> None:
        """Disconnects from every broker."""
        for broker in list(self._clients):
            await self._drop(broker)

    async def _client(self, broker: _Broker) -> aiomqtt.Client:
        async with self._locks.setdefault(broker, asyncio.Lock()):
            client = self._clients.get(broker)
            if client is None:
                address = await self._outgoing.allowed_address(broker.host, broker.port)
                client = aiomqtt.Client(
                    # Over TLS the certificate proves the name; else the address that was judged is used.
                    broker.host if broker.tls else address,
                    broker.port,
                    username=broker.username,
                    password=broker.password,
                    protocol=broker.version,
                    tls_params=aiomqtt.TLSParameters() if broker.tls else None,
                    timeout=self._timeout,
                )
                await client.__aenter__()
                self._clients[broker] = client
            return client

    async def _drop(self, broker: _Broker) -> None:
        client = self._clients.pop(broker, None)
        if client is not None:
            try:
                await client.__aexit__(None, None, None)
            except aiomqtt.MqttError:
                return


def _address(uri: str, version: str) -> tuple[_Broker, str]:
    parts = urlsplit(uri)
    tls = parts.scheme == "mqtts"
    broker = _Broker(
        parts.hostname or "",
        parts.port or (8883 if tls else 1883),
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls,
        _PROTOCOLS[version],
    )
    return broker, unquote(parts.path.lstrip("/"))
