"""A running node, asked from the terminal: one way for all commands that do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
import typer

from cityloom.model.errors import CityloomError

NODE: Final = "http://127.0.0.1:8026"
Url = Annotated[str, typer.Option("--url", help="Where the node answers.")]
Key = Annotated[
    str, typer.Option("--key", envvar="CITYLOOM_KEY", help="An API key, where the node asks for one.")
]
_SECONDS: Final = 60


def ask(
    method: str,
    url: str,
    path: str,
    key: str,
    *,
    tenant: str = "",
    body: Any = None,
    params: Mapping[str, str | int] | None = None,
) -> Any:
    """The node's answer, read from JSON; None where it has no body.

    Raises:
        CityloomError: what the node says is wrong, or that no node answers there.
    """
    import httpx

    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {"NGSILD-Tenant": tenant} if tenant else {}
    try:
        answer = httpx.request(
            method,
            url.rstrip("/") + path,
            content=None if body is None else msgspec.json.encode(body),
            params=params,
            headers=headers,
            timeout=_SECONDS,
            trust_env=False,
        )
        told = msgspec.json.decode(answer.content) if answer.content else None
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise CityloomError(f"no node answers at {url}: {error}") from None
    if answer.is_error:
        detail = told.get("detail") if isinstance(told, dict) else None
        raise CityloomError(f"{detail or url + path} (answered {answer.status_code})")
    return told
