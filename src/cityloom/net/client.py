"""`Outgoing`: the one guarded HTTP client.

The guard stands where the socket is made: every address that a connection is
tried to, however it came about (a name, a literal in any spelling, a redirect,
a name that resolves differently the second time), is judged just before
connecting to it. A host's name is checked against the allow-list before that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct
from yarl import URL

from cityloom.model.errors import OutgoingFailed, OutgoingRefused
from cityloom.net.addresses import reach
from cityloom.net.reply import AddressRefused, Reply

if TYPE_CHECKING:
    from cityloom.net.connections import Connections

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class OutgoingSettings(Struct, frozen=True, kw_only=True):
    """What outgoing calls may do; times in seconds, sizes in bytes (after decompression).

    `allow_hosts`, when not empty, names the only hosts that may be called
    (each `host` or `host:port`); their addresses are judged all the same.
    """

    allow_loopback: bool = False
    allow_private: bool = False
    allow_hosts: tuple[str, ...] = ()
    connect_timeout: float = 5.0
    total_timeout: float = 10.0
    max_bytes: int = 4 * 1024 * 1024
    max_redirects: int = 5
    max_url: int = 8_192
    max_connections: int = 100


class Outgoing:
    """The guarded client; one a process, closed at the end (`async with`)."""

    def __init__(self, settings: OutgoingSettings) -> None:
        self._settings = settings
        self._connections: Connections | None = None

    async def __aenter__(self) -> Outgoing:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections kept open."""
        if self._connections is not None:
            await self._connections.close()
            self._connections = None

    async def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the whole call's, redirects included)
    ) -> Reply:
        """Reads `url`, following redirects, each of them checked like the first call.

        Args:
            max_bytes: largest body; the settings' when not given.
            timeout: seconds for everything together; the settings' when not given.

        Raises:
            OutgoingRefused: the settings do not let a call go there.
            OutgoingFailed: unreachable, too slow, too large, too many redirects.
        """
        sent = {**(headers or {}), "Accept": accept}
        return await self._call("GET", url, sent, b"", max_bytes, timeout, follow=True)

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        max_bytes: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Reply:
        """Sends `body` to `url`; a redirect is not followed but is the reply.

        Raises:
            OutgoingRefused: the settings do not let a call go there.
            OutgoingFailed: unreachable, too slow, too large an answer.
        """
        return await self._call("POST", url, dict(headers), body, max_bytes, timeout, follow=False)

    async def send(
        self,
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        max_bytes: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Reply:
        """Asks `url` whatever is asked; a redirect is not followed but is the reply.

        Raises:
            OutgoingRefused: the settings do not let a call go there.
            OutgoingFailed: unreachable, too slow, too large an answer.
        """
        return await self._call(method, url, dict(headers), body, max_bytes, timeout, follow=False)

    async def allowed_address(self, host: str, port: int) -> str:
        """An address of `host` that may be called: for clients of other protocols, which connect to it.

        Raises:
            OutgoingRefused: the settings let no call go there.
            OutgoingFailed: the name has no address.
        """
        allowed = self._settings.allow_hosts
        if allowed and host not in allowed and f"{host}:{port}" not in allowed:
            raise OutgoingRefused(f"{host}:{port} is not allowed: the settings do not name the host {host}")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise OutgoingFailed(f"{host}:{port} could not be reached: {error}") from None
        try:
            for *_, sockaddr in found:
                self._judge(str(sockaddr[0]))
        except AddressRefused as error:
            raise OutgoingRefused(f"{host}:{port} is not allowed: {error}") from None
        return str(found[0][4][0])

    async def _call(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes,
        max_bytes: int | None,
        timeout: float | None,  # noqa: ASYNC109
        *,
        follow: bool,
    ) -> Reply:
        limit = self._settings.max_bytes if max_bytes is None else max_bytes
        seconds = self._settings.total_timeout if timeout is None else timeout
        target = self._checked(url)
        try:
            async with asyncio.timeout(seconds):
                for _ in range(self._settings.max_redirects + 1):
                    reply = await self._opened().request(method, target, headers, body, limit)
                    location = reply.headers.get("location")
                    if not follow or reply.status not in _REDIRECTS or location is None:
                        return reply
                    following = self._checked(location, base=target)
                    if following.origin() != target.origin():
                        # What was meant for one host is not shown to another.
                        headers = {"Accept": headers["Accept"]}
                    target = following
        except TimeoutError:
            raise OutgoingFailed(f"{url} did not answer within {seconds:g} s") from None
        except AddressRefused as error:
            raise OutgoingRefused(f"{url} is not allowed: {error}") from None
        except (OSError, ValueError) as error:
            raise OutgoingFailed(f"{url} could not be reached: {error or type(error).__name__}") from None
        raise OutgoingFailed(f"{url} was redirected more than {self._settings.max_redirects} times")

    def _checked(self, url: str, base: URL | None = None) -> URL:
        """The URL when its form and host are allowed; its addresses are judged when connecting."""
        if len(url) > self._settings.max_url:
            raise OutgoingRefused(f"the URL is longer than {self._settings.max_url} characters")
        try:
            target = URL(url) if base is None else base.join(URL(url))
            host, port = target.host, target.port
        except ValueError as error:
            raise OutgoingRefused(f"{url!r} is invalid: {error}") from None
        if target.scheme not in ("http", "https") or not host:
            raise OutgoingRefused(f"{url!r} is invalid: only http and https URLs with a host may be called")
        allowed = self._settings.allow_hosts
        if allowed and host not in allowed and f"{host}:{port}" not in allowed:
            raise OutgoingRefused(f"{url} is not allowed: the settings do not name the host {host}")
        return target

    def _opened(self) -> Connections:
        # Made at the first call, since they belong to a running loop; a node that calls nobody
        # does not load the HTTP client.
        if self._connections is None:
            from cityloom.net.connections import Connections

            self._connections = Connections(
                most=self._settings.max_connections,
                connect_timeout=self._settings.connect_timeout,
                judge=self._judge,
            )
        return self._connections

    def _judge(self, text: str) -> None:
        """Raises AddressRefused when the settings do not let a connection go to this address."""
        address = ip_address(text.partition("%")[0])
        distance = reach(address)
        if distance == "public":
            return
        if distance == "loopback" and self._settings.allow_loopback:
            return
        if distance == "private" and self._settings.allow_private:
            return
        # Without the address, so that several refused ones are told as one refusal.
        why = "link-local, cloud-metadata and reserved" if distance == "never" else distance
        raise AddressRefused(f"its address is one of the {why} ones, which are not called")
