"""Live changes, as the page sees them (server-sent events, HTML Living Standard section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final, NotRequired, TypedDict

from cityloom.client.http import CityError, Http

_SILENCE: Final = 60.0
"""Seconds without even a ping until a stream counts as broken."""
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class ChangedAttribute(TypedDict):
    """An attribute that changed; `deleted` where it is gone."""

    name: str
    value: Any
    datasetId: NotRequired[str]
    observedAt: NotRequired[str]
    deleted: NotRequired[bool]


class Change(TypedDict):
    """One change of the log."""

    seq: int
    at: str
    kind: str
    entityId: str
    type: list[str]
    changes: list[ChangedAttribute]
    location: NotRequired[dict[str, Any]]


def follow(http: Http, params: dict[str, Any], after: int | None) -> Iterator[Change]:
    """Yields changes for ever; after a cut it goes on behind the last one.

    Raises:
        CityError: the node refuses, or it no longer keeps the changes since the last one (status 410).
    """
    last = "" if after is None else str(after)
    pause = _PAUSE
    while True:
        try:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            with http.stream("/events", params, headers, _SILENCE) as response:
                for event, number, data in _messages(response.iter_lines()):
                    pause = _PAUSE
                    last = number or last
                    if event == "reset":
                        raise CityError(410, "the changes are no longer kept", "read the entities anew")
                    if event == "change":
                        yield json.loads(data)
        except CityError as error:
            if error.status not in (0, 503):
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _messages(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    event, number = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield event, number, "\n".join(data)
            event, number, data = "message", "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event = value
        elif field == "id":
            number = value
        elif field == "data":
            data.append(value)
