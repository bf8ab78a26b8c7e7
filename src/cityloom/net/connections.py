"""The connections of the guarded client, through aiohttp: every socket is judged before it is made."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from yarl import URL

from cityloom.model.errors import OutgoingFailed, OutgoingRefused
from cityloom.net.reply import AddressRefused, Reply


class Connections:
    """Kept open and used again; belongs to the loop that it is made in.

    Args:
        most: how many at a time.
        connect_timeout: seconds until a connection must stand.
        judge: raises AddressRefused for an address that may not be called.
    """

    def __init__(self, *, most: int, connect_timeout: float, judge: Callable[[str], None]) -> None:
        self._judge = judge
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, socket_factory=self._make_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout),
            headers={"User-Agent": "cityloom"},
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes them."""
        await self._session.close()

    async def request(
        self, method: str, target: URL, headers: dict[str, str], body: bytes, limit: int
    ) -> Reply:
        """Calls once; a redirect is the reply.

        Args:
            limit: bytes of the largest body, after decompression.

        Raises:
            AddressRefused: the address may not be called.
            OutgoingRefused: the URL is invalid.
            OutgoingFailed: it is larger than `limit`.
            TimeoutError: no connection stood in time.
            OSError, ValueError: the other side could not be reached.
        """
        request: dict[str, Any] = {"headers": headers, "allow_redirects": False}
        if body or method == "POST":
            request["data"] = body
        try:
            async with self._session.request(method, target, **request) as response:
                if (response.content_length or 0) > limit:
                    raise OutgoingFailed(f"{target} answered more than {limit} bytes")
                parts = bytearray()
                async for part in response.content.iter_any():
                    parts += part
                    if len(parts) > limit:
                        raise OutgoingFailed(f"{target} answered more than {limit} bytes")
                kept = {name.lower(): value for name, value in response.headers.items()}
                return Reply(status=response.status, headers=kept, body=bytes(parts), url=str(target))
        except TimeoutError:  # some of aiohttp's are ClientErrors too
            raise
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise error.os_error from None
            raise ConnectionError(str(error.os_error or error)) from None
        except aiohttp.InvalidURL as error:
            raise OutgoingRefused(f"{str(target)!r} is invalid: {error}") from None
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from None

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Makes the socket for one resolved address, if it may be called."""
        family, kind, protocol, _, sockaddr = info
        self._judge(str(sockaddr[0]))
        return socket.socket(family=family, type=kind, proto=protocol)
