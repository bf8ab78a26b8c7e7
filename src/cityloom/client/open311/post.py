"""One test request, written only when it is asked for, and found again.

Source: GeoReport v2: POST Service Request, GET service_request_id from a token.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cityloom.client.open311.fetch import Reply, Server, text_of
from cityloom.client.open311.findings import Findings
from cityloom.client.open311.refusals import UNKNOWN, expect_error

_TEXT: Final = "A test by cityloom open311-check: nothing is to be done, please close it."
_TRIES: Final = 10
_WAIT: Final = 1.0


class Trial(NamedTuple):
    """What to write: with which key, to which service ("": the last that asks for nothing), where.

    `lat` and `long` are WGS 84 degrees; "" takes those of a request that is there.
    """

    api_key: str = ""
    service_code: str = ""
    lat: str = ""
    long: str = ""


def write_test(
    server: Server,
    findings: Findings,
    endpoint: str,
    services: Sequence[Mapping[str, Any]],
    requests: Sequence[Mapping[str, Any]],
    test: Trial,
) -> None:
    """Sends two forms that must be refused, then one that must not, and looks for what came of it."""
    where = f"{endpoint}/requests"
    form = {"api_key": test.api_key, "description": _TEXT, **_place(requests, test)}
    form = {name: value for name, value in form.items() if value}
    expect_error(findings, server.post(where, "xml", form), (400,))
    expect_error(findings, server.post(where, "xml", {**form, "service_code": UNKNOWN}), (404,))
    simple = [one for one in services if text_of(one.get("metadata")) == "false"]
    # The last one: lists often begin with emergencies.
    code = test.service_code or next(
        (text_of(one.get("service_code")) for one in reversed(simple or services)), ""
    )
    if not code:
        findings.error("post", f"there is no service to report at {endpoint}/services")
        return
    reply = server.post(where, "xml", {**form, "service_code": code})
    told = reply.value if reply.status < 300 and isinstance(reply.value, list) else []
    if len(told) != 1:
        findings.error(
            "post", f"{reply.status} and no request for service_code {code!r}: {reply.value} at {where}"
        )
        return
    made, token = text_of(told[0].get("service_request_id")), text_of(told[0].get("token"))
    if bool(made) == bool(token):
        findings.error(
            "post", f"one of service_request_id {made!r} and token {token!r} is required at {where}"
        )
    if token and not made:
        made = _redeem(server, findings, endpoint, token)
    if not made:
        return
    findings.ok("post", f"service_request_id {made!r} for {code!r} at {where}")
    _check_found(findings, server.get(f"{where}/{made}", "xml", None, "service_requests"), made, code)


def _redeem(server: Server, findings: Findings, endpoint: str, token: str) -> str:
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_WAIT)
        reply = server.get(f"{endpoint}/tokens/{token}", "xml", None, "service_requests")
        one = reply.value[0] if reply.status == 200 and reply.value else {}
        made = text_of(one.get("service_request_id"))
        if made:
            if text_of(one.get("token")) != token:
                findings.error(
                    "token", f"token {text_of(one.get('token'))!r} instead of {token!r} at {reply.url}"
                )
            findings.ok("token", f"service_request_id {made!r} at {reply.url}")
            return made
    findings.warning("token", f"no service_request_id after {_TRIES} questions for token {token!r}")
    return ""


def _check_found(findings: Findings, reply: Reply, made: str, code: str) -> None:
    found = reply.value[0] if reply.status == 200 and reply.value else {}
    for field, wanted in (("service_request_id", made), ("service_code", code), ("status", "open")):
        told = text_of(found.get(field))
        if told != wanted:
            findings.error(
                "post", f"{reply.status}: {field} is {told!r} instead of {wanted!r} at {reply.url}"
            )


def _place(requests: Sequence[Mapping[str, Any]], test: Trial) -> dict[str, str]:
    if test.lat and test.long:
        return {"lat": test.lat, "long": test.long}
    for one in requests:
        lat, long = text_of(one.get("lat")), text_of(one.get("long"))
        if lat and long:
            return {"lat": lat, "long": long}
    return {"address_string": "open311-check"}
