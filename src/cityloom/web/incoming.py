"""One request as the handlers see it: parsed once, with who asks and for which tenant."""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Receive

from cityloom.broker.ports import Call
from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData, InvalidRequest
from cityloom.model.tenants import SNAPSHOT_HEADER
from cityloom.query.scanner import is_uri
from cityloom.web.body import content_type, decode_json, read_body
from cityloom.web.headers import SNAPSHOT, TENANT, Headers
from cityloom.web.ld_context import LdSource, link_of, take_ld_context
from cityloom.web.params import Params
from cityloom.web.services import Services

TENANT_HEADER: Final = "NGSILD-Tenant"
_LONGEST_TENANT: Final = 256


class Incoming:
    """A request that was routed, and whose parameters are known to its operation.

    Attributes:
        path: the variables of the resource's path, decoded.
        raw_path: the whole path as it came, percent-encoded.
        accept: the media type to answer with.
        receive: gives the body, where it is no JSON.
        peer: the address that the connection comes from; "" where that is none.
    """

    __slots__ = (
        "accept",
        "call",
        "headers",
        "method",
        "options",
        "params",
        "path",
        "peer",
        "raw_path",
        "receive",
        "services",
    )

    def __init__(
        self,
        services: Services,
        call: Call,
        method: str,
        raw_path: str,
        headers: Headers,
        receive: Receive,
    ) -> None:
        self.services = services
        self.call = call
        self.method = method
        self.raw_path = raw_path
        self.headers = headers
        self.receive = receive
        self.path: dict[str, str] = {}
        self.params: Params
        self.options: frozenset[str] = frozenset()
        self.peer = ""
        self.accept = ""

    @property
    def preferences(self) -> dict[str, str]:
        """The preferences of the Prefer headers (RFC 7240), each as it is told first."""
        found: dict[str, str] = {}
        if "prefer" not in self.headers:
            return found
        for value in self.headers.getlist("prefer"):
            for preference in value.split(","):
                name, _, text = preference.partition(";")[0].partition("=")
                found.setdefault(name.strip().lower(), text.strip().strip('"'))
        return found

    def identifier(self, name: str = "entityId") -> str:
        """A path variable that must be a URI. Raises BadRequestData."""
        value = self.path[name]
        if not value:
            raise BadRequestData(f"{name} is required: it is empty in the path")
        if not is_uri(value):
            raise BadRequestData(f"{name} is invalid: {value[:200]!r} is no URI")
        return value

    async def ld_context(self) -> LdContext:
        """The @context of a request without a body (or whose body has none): Link header or core."""
        return await self._resolved(link_of(self.headers))

    async def json(self) -> Any:
        """The body as JSON, whatever its kind.

        It must be told to be JSON, also on our own API: a page from elsewhere
        cannot send that without asking, and nobody answers such a question.
        Raises as `body.content_type`, `body.read_body` and `body.decode_json`.
        """
        content_type(self.headers, self.method)
        settings = self.services.settings
        body = await read_body(self.receive, self.headers, settings.max_body_bytes)
        return decode_json(body, settings.max_depth, settings.max_values)

    async def document(self) -> tuple[dict[str, Any], LdContext]:
        """The body as one JSON object without its @context, and the @context that belongs to it (6.3.5)."""
        media_type = content_type(self.headers, self.method)
        document = await self.json()
        if not isinstance(document, dict):
            raise BadRequestData("the body is invalid: a JSON object is required")
        source = take_ld_context(document, media_type, self.headers)
        return document, await self._resolved(source)

    async def _resolved(self, source: LdSource) -> LdContext:
        ld_context = await self.services.contexts.resolve(source, self.call.tenant)
        if self.call.forwarding is not None:
            self.call.forwarding.ld_context = ld_context
        return ld_context

    async def array(self) -> tuple[list[Any], str]:
        """The body as a JSON array, and its media type."""
        media_type = content_type(self.headers, self.method)
        document = await self.json()
        if not isinstance(document, list):
            raise BadRequestData("the body is invalid: a JSON array is required")
        return document, media_type


def tenant_of(headers: Headers) -> str:
    """The tenant that a request names; "" is the default one. Raises BadRequestData."""
    values = headers.getlist(TENANT)
    if not values:
        return ""
    if len(values) > 1:
        raise InvalidRequest(f"header {TENANT_HEADER} is invalid: it is given twice")
    tenant = values[0].strip()
    if not tenant or len(tenant) > _LONGEST_TENANT or not tenant.isprintable():
        raise BadRequestData(f"header {TENANT_HEADER} is invalid: 1 to {_LONGEST_TENANT} characters")
    return tenant


def snapshot_of(headers: Headers) -> str | None:
    """The snapshot that a request names (6.3.22); None without one. Raises InvalidRequest."""
    values = headers.getlist(SNAPSHOT)
    if len(values) > 1:
        raise InvalidRequest(f"header {SNAPSHOT_HEADER} is invalid: it is given twice")
    return values[0].strip() if values else None


def via_of(headers: Headers) -> tuple[str, ...]:
    """The pseudonyms of those whom a request passed before, by its Via headers (RFC 9110 7.6.3)."""
    values = headers.getlist("via")
    if not values:
        return ()
    members = [member.split() for value in values for member in value.split(",")]
    return tuple(words[1] for words in members if len(words) > 1)
