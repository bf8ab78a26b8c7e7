"""The raw limit of an answer: `python -m bench.bare PORT FILE` answers every request with the file's bytes.

The same server with the same settings as a node's, and nothing of ours behind it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn

from cityloom.model.settings import Settings
from cityloom.web.load import Load
from cityloom.web.protocol import bounded_protocol


def bare(body: bytes) -> Any:
    """An ASGI application that answers `body`, and to `/count` tells how many POSTs it has had."""
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-length", str(len(body)).encode()),
            (b"content-type", b"application/json"),
        ],
    }
    posted = 0

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        nonlocal posted
        started = head
        if scope["method"] == "POST":
            posted += 1
        elif scope["path"] == "/count":
            headers = [(b"content-length", str(len(body)).encode()), (b"x-posted", str(posted).encode())]
            started = {**head, "headers": headers}
        await send(started)
        await send({"type": "http.response.body", "body": body})

    return answer


def main() -> None:
    """Serves until it is ended."""
    settings = Settings()
    uvicorn.run(
        bare(Path(sys.argv[2]).read_bytes()),
        port=int(sys.argv[1]),
        http=bounded_protocol(settings, Load(settings.max_requests, settings.max_held_bytes), 10_000),
        ws="none",
        loop="uvloop",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
    )


if __name__ == "__main__":
    main()
