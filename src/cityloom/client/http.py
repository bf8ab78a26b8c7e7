"""Requests to one node: parameters out, JSON in, refusals as one error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import httpx

JSON: Final = "application/json"
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


class CityError(Exception):
    """The node refused, or could not be reached.

    Attributes:
        status: the HTTP status; 0 when nothing answered.
        title: what kind of problem it is.
        detail: which field or place, and why.
    """

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail


class Http:
    """One node's origin with the headers that every request carries.

    Args:
        url: the node, e.g. `http://127.0.0.1:8026`.
        api_key: sent as a bearer token; "" where the node is open.
        tenant: the `NGSILD-Tenant`; "" is the default tenant.
        context: URL of the `@context` whose terms names are in; "" is the core context.
        timeout: seconds that the node may be silent.
    """

    def __init__(self, url: str, api_key: str, tenant: str, context: str, timeout: float) -> None:
        headers = {"Accept": JSON}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        if tenant:
            headers["NGSILD-Tenant"] = tenant
        if context:
            headers["Link"] = (
                f'<{context}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
            )
        # Only connecting is tried again: a request that was sent may have been obeyed.
        self._timeout = timeout
        self._connect = partial(httpx.Client, base_url=url.rstrip("/"), headers=headers)
        self._client = self._connect(timeout=timeout, transport=httpx.HTTPTransport(retries=2))

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: str = JSON,
    ) -> httpx.Response:
        """Sends one request. Raises CityError for every answer but 2xx."""
        try:
            response = self._client.request(
                method, path, params=query_of(params), json=body, headers={"Accept": accept}
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if not response.is_success:
            raise _refusal(response)
        return response

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of a GET request."""
        return self.request("GET", path, params).json()

    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:
        """An answer and those behind its `next` links (RFC 8288)."""
        response = self.request("GET", path, params)
        while True:
            yield response
            found = next_link(response)
            if found is None:
                return
            response = self.request("GET", found)

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str], read_timeout: float
    ) -> Iterator[httpx.Response]:
        """An answer whose body is read as it comes, over a connection of its own: others may be at work."""
        timeout = httpx.Timeout(self._timeout, read=read_timeout)
        try:
            with (
                self._connect(timeout=timeout) as client,
                client.stream("GET", path, params=query_of(params), headers=dict(headers)) as response,
            ):
                if not response.is_success:
                    response.read()
                    raise _refusal(response)
                yield response
        except httpx.HTTPError as error:
            raise _unreachable(error) from error


def next_link(response: httpx.Response) -> str | None:
    """Where the next page is, as the `Link` header says."""
    found = _NEXT.search(",".join(value for value in response.headers.get_list("link")))
    return found[1] if found else None


def query_of(params: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Query parameters as the API writes them: lists by commas, booleans in lower case; None left out."""
    if not params:
        return None
    return {name: _text(value) for name, value in params.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if hasattr(value, "isoformat"):
        return moment(value)
    if isinstance(value, list | tuple):
        return ",".join(_text(each) for each in value)
    return str(value)


def moment(value: Any) -> str:
    """An instant as the API writes it.

    Raises:
        ValueError: a text that is none, or an instant without a time zone.
    """
    instant = value
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is invalid: an instant such as 2026-05-01T08:00:00Z is required"
            ) from None
    if getattr(instant, "tzinfo", None) is None:
        raise ValueError(f"{value!r} is invalid: a time zone is required")
    return value if isinstance(value, str) else str(value.isoformat()).replace("+00:00", "Z")


def _refusal(response: httpx.Response) -> CityError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return CityError(response.status_code, response.reason_phrase)
    return CityError(
        response.status_code,
        str(problem.get("title", response.reason_phrase)),
        str(problem.get("detail", "")),
    )


def _unreachable(error: httpx.HTTPError) -> CityError:
    return CityError(0, "the node does not answer", str(error))
