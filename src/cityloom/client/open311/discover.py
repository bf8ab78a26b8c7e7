"""From the address that a person gives to the endpoint of GeoReport v2.

Source: Service Discovery (wiki.open311.org): Base URL, Formats, Fields for All Versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cityloom.client.http import CityError
from cityloom.client.open311.fetch import Server, difference, text_of
from cityloom.client.open311.findings import Findings

_V2: Final = re.compile(r"https?://wiki\.open311\.org/GeoReport_v2/?", re.IGNORECASE)
_GIVEN: Final = re.compile(r"(.*)/discovery\.(?:xml|json)")
_FIELDS: Final = ("changeset", "contact", "key_service", "endpoints")
_OF_ENDPOINT: Final = ("specification", "url", "changeset", "type", "formats")


class Endpoint(NamedTuple):
    """Where GeoReport v2 is spoken, and whether as JSON too."""

    url: str
    has_json: bool


def discover(server: Server, findings: Findings, url: str) -> Endpoint:
    """The endpoint that discovery names; the address itself where there is no discovery.

    Raises:
        CityError: nothing of Open311 is there.
    """
    url = url.rstrip("/")
    match = _GIVEN.fullmatch(url)
    bases = [match[1]] if match else [url, url.rpartition("/")[0]]
    base = next((one for one in bases if "//" in one and server.exists(f"{one}/discovery.xml")), None)
    if base is None:
        _check_speaks(server, url)
        findings.error("discovery", f"no discovery.xml at {' or '.join(bases)}")
        return Endpoint(url, True)
    xml = server.get(f"{base}/discovery", "xml", root="discovery")
    json = server.get(f"{base}/discovery", "json", root="discovery")
    for reply in (xml, json):
        if reply.status != 200:
            findings.error("discovery", f"{reply.status} at {reply.url}")
        else:
            findings.ok("discovery", f"found at {reply.url}")
    if isinstance(xml.value, dict) and isinstance(json.value, dict):
        apart = difference(xml.value, json.value)
        if apart:
            findings.error("agree", f"discovery in XML and JSON: {apart}")
    told = next((one.value for one in (xml, json) if isinstance(one.value, dict)), {})
    for field in _FIELDS:
        if not told.get(field):
            findings.error("discovery.fields", f"{field} is missing at {base}/discovery.xml")
    findings.ok("discovery.fields", f"changeset {text_of(told.get('changeset'))!r}")
    endpoints = [one for one in told.get("endpoints") or [] if isinstance(one, dict)]
    for one in endpoints:
        _check(findings, one)
    spoken = [one for one in endpoints if _V2.fullmatch(text_of(one.get("specification")))]
    if not spoken:
        findings.error("discovery.endpoint", f"no endpoint of {_V2.pattern} at {base}/discovery.xml")
        return Endpoint(url, True)
    chosen = min(
        spoken, key=lambda one: (text_of(one.get("url")).rstrip("/") != url, one.get("type") != "production")
    )
    formats = [text_of(one) for one in chosen.get("formats") or []]
    return Endpoint(text_of(chosen.get("url")).rstrip("/"), "application/json" in formats)


def _check_speaks(server: Server, url: str) -> None:
    """Raises CityError: the address is no endpoint either; says where discovery is, if that can be found."""
    if any(server.exists(f"{url}/{one}") for one in ("services.xml", "services.json", "requests.xml")):
        return
    near = f"{url}/open311/discovery.xml"
    told = (
        f"its discovery is {near}"
        if server.exists(near)
        else f"give the address of its discovery, often {near}, or of the endpoint that answers services.xml"
    )
    raise CityError(0, f"no Open311 at {url}", told)


def _check(findings: Findings, endpoint: Mapping[str, Any]) -> None:
    name = text_of(endpoint.get("url")) or "an endpoint"
    for field in _OF_ENDPOINT:
        if not endpoint.get(field):
            findings.error("discovery.endpoint", f"{field} is missing of {name}")
    kind = text_of(endpoint.get("type"))
    if kind not in ("production", "test"):
        findings.error("discovery.endpoint", f"type is {kind!r}, neither production nor test, of {name}")
    if "text/xml" not in [text_of(one) for one in endpoint.get("formats") or []]:
        findings.error("discovery.endpoint", f"formats do not hold text/xml, which is required, of {name}")
    findings.ok("discovery.endpoint", f"{kind} at {name}")
