"""The messages of an MQTT topic, through the guarded client's judgement of addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import aiomqtt

from cityloom.connect.mapping import Mapping
from cityloom.model.errors import OutgoingFailed
from cityloom.net.client import Outgoing


@asynccontextmanager
async def subscribed(
    mapping: Mapping, outgoing: Outgoing, waiting: asyncio.Queue[tuple[str, bytes]]
) -> AsyncIterator[asyncio.Task[None]]:
    """Subscribes to a mapping's topic and puts (topic, payload) of each message into `waiting`.

    Returns:
        What reads; it ends when the broker ends the connection.

    Raises:
        OutgoingRefused: the settings let no call go there.
        OutgoingFailed: the broker cannot be reached, or went away.
    """
    try:
        async with await _client(mapping, outgoing) as client:
            await client.subscribe(mapping.topic, qos=1)
            reader = asyncio.create_task(_pump(client, waiting))
            try:
                yield reader
            finally:
                reader.cancel()
    except aiomqtt.MqttError as error:
        raise OutgoingFailed(str(error)) from None


async def _client(mapping: Mapping, outgoing: Outgoing) -> aiomqtt.Client:
    parts = urlsplit(mapping.broker)
    tls = parts.scheme == "mqtts"
    port = parts.port or (8883 if tls else 1883)
    address = await outgoing.allowed_address(parts.hostname or "", port)
    return aiomqtt.Client(
        # Over TLS the certificate proves the name; else the address that was judged is used.
        parts.hostname or "" if tls else address,
        port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls_params=aiomqtt.TLSParameters() if tls else None,
    )


async def _pump(client: aiomqtt.Client, waiting: asyncio.Queue[tuple[str, bytes]]) -> None:
    async for message in client.messages:
        payload = message.payload
        content = payload if isinstance(payload, bytes) else str(payload).encode()
        await waiting.put((message.topic.value, content))
