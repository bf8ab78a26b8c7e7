"""The ways to endpoints; the MQTT client is loaded when a city has its first endpoint of that kind."""

from __future__ import annotations

from functools import cached_property

from cityloom.net.client import Outgoing
from cityloom.subscriptions.transport import Http, Transport


class Transports:
    """The ways to endpoints, by the scheme of their URI."""

    def __init__(self, outgoing: Outgoing, timeout: float) -> None:
        self._outgoing = outgoing
        self._timeout = timeout
        self._http = Http(outgoing)

    @cached_property
    def _mqtt(self) -> Transport:
        from cityloom.subscriptions.mqtt import Mqtt

        return Mqtt(self._outgoing, self._timeout)

    def of(self, scheme: str) -> Transport:
        """The one for `http`, `https`, `mqtt` or `mqtts`."""
        return self._mqtt if scheme.startswith("mqtt") else self._http

    async def close(self) -> None:
        """Closes what they hold open."""
        await self._http.close()
        if "_mqtt" in vars(self):
            await self._mqtt.close()
