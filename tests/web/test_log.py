"""The log line of a request names the request and the event that it made."""

from pathlib import Path

import structlog

from tests.web.node import running_node


async def test_request_line_names_the_event_that_the_request_made(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            entity = {"id": "urn:x:1", "type": "T", "a": {"type": "Property", "value": 1}}
            assert (await node.post("/ngsi-ld/v1/entities", entity)).status == 201
            assert (await node.get("/ngsi-ld/v1/entities/urn:x:1")).status == 200
        with node.services.store.snapshot() as snapshot:
            (event,) = snapshot.events(0)
    wrote, read = (line for line in lines if line["event"] == "request")
    assert wrote["seq"] == event.seq
    assert event.cause.id == f"request:{wrote['requestId']}"
    assert "seq" not in read
