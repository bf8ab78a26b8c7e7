"""Resources and their operations: what the route table, the OpenAPI document and the tests are made of.

A `Resource` is one path. It picks the operation by method, refuses unknown
parameters, answers OPTIONS and 405 by itself, and turns every error into its
problem document, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import unquote

import structlog
from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response
from starlette.types import Receive, Scope

from cityloom.broker.ports import BatchResult, Call, Forwarding, PartlyDone
from cityloom.model.errors import (
    BadRequestData,
    CityloomError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
)
from cityloom.model.events import Cause
from cityloom.model.tenants import SNAPSHOT_HEADER
from cityloom.web.body import MERGE_PATCH, accepted
from cityloom.web.headers import SNAPSHOT, Headers
from cityloom.web.incoming import Incoming, snapshot_of, tenant_of, via_of
from cityloom.web.open311_answers import OPEN311_ROOT, error_answer
from cityloom.web.origin import OGC_ROOT
from cityloom.web.params import Params, parse_options, parse_params
from cityloom.web.paths import Paths
from cityloom.web.problem import problem_response
from cityloom.web.problem_pages import problem_answer
from cityloom.web.results import batch_answer, update_answer
from cityloom.web.services import Services

log = structlog.get_logger("cityloom.web")

NGSI_LD_ROOT: Final = "/ngsi-ld/v1"
_WITH_DATA: Final = (
    "entities",
    "entityOperations",
    "entityMaps",
    "temporal",
    "types",
    "attributes",
    "subscriptions",
)
_IN_SNAPSHOTS: Final = tuple(f"{NGSI_LD_ROOT}/{name}" for name in _WITH_DATA)
"""The resources whose operations can be on a snapshot (5.5.15)."""

_OF_THE_PROCESS: Final = frozenset({"checkHealth", "describeNode", "readMetrics"})
"""Operations that tell how this process is doing, also when the store does not answer."""

Handler = Callable[[Incoming], Awaitable[Response]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Schema = dict[str, Any]


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path.

    `params` are the query parameters that are built, `unbuilt` those that the
    standard knows and that answer 501; `options` are the keywords of the
    `options` parameter. `answers` are the media types that can be produced,
    the preferred first; empty where nothing is negotiated. `formats` are the
    words of the parameter `f`, each with its media type. `statuses` are
    those of success. `any_params` says that parameters are not looked at, `more_params`
    which others the handler looks at itself.
    `request` and `response` are JSON Schemas, for the OpenAPI document; `takes` are the media types of
    a body that is no JSON.
    `rest` names the variable at the end of the path that takes all that follows, slashes too.
    `refuses_no_id` says that this method on the path that ends where its identifier should follow
    is answered with BadRequestData, and not with 405 as any other.
    `secret_path` says that what the path's variables hold is nothing for the log.
    """

    name: str
    method: Method
    path: str
    handler: Handler
    summary: str
    clause: str = ""
    params: frozenset[str] = frozenset()
    unbuilt: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    formats: Mapping[str, str] = {}
    statuses: tuple[int, ...] = (200,)
    any_params: bool = False
    more_params: str = ""
    rest: str = ""
    refuses_no_id: bool = False
    secret_path: bool = False
    takes: tuple[str, ...] = ()
    request: Schema | None = None
    response: Schema | None = None


class Resource:
    """The endpoint of one path.

    Args:
        above: the operations of the path without its last segment, which is meant where a
            segment is empty (6.3.2: a wrong method over that resource is 405).
        below: the methods that ask for an identifier after the path with BadRequestData.
    """

    def __init__(
        self,
        services: Services,
        operations: Sequence[Operation],
        above: Sequence[Operation] = (),
        below: frozenset[str] = frozenset(),
    ) -> None:
        self._services = services
        self._below = below
        self.operations = {operation.method: operation for operation in operations}
        self._ngsi_ld = operations[0].path.startswith(NGSI_LD_ROOT)
        self._has_pages = operations[0].path.startswith(OGC_ROOT)
        self._open311 = operations[0].path.startswith(OPEN311_ROOT)
        self._allow = ", ".join(sorted(_allowed(operations)))
        self._above = _allowed(above)
        self._longest = services.settings.max_query

    async def answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        """The answer to one request, an error as its problem."""
        try:
            response = await self._answer(scope, receive, headers, variables)
        except CityloomError as error:
            response = self._tell(error, scope, headers)
        except Exception:
            log.exception("request failed", requestId=scope["request_id"], path=scope["path"])
            failure = InternalError("something failed here; the node's log tells more under the request id")
            response = self._tell(failure, scope, headers)
        snapshot = headers.get(SNAPSHOT)
        if snapshot is not None and self._ngsi_ld:
            response.headers[SNAPSHOT_HEADER] = snapshot
        return response

    def _tell(self, error: CityloomError, scope: Scope, headers: Headers) -> Response:
        if self._open311:
            return error_answer(error, scope["path"])
        if self._has_pages:
            return problem_answer(error, scope, self._services)
        languages = headers.get("accept-language", "") if error.texts else ""
        return problem_response(error, ngsi_ld=self._ngsi_ld, languages=languages)

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Headers, variables: dict[str, str]
    ) -> Response:
        method = scope["method"]
        operation = self.operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            if method == "OPTIONS":
                return self._describe()
            if method in self._below and scope["raw_path"].endswith(b"/"):
                raise BadRequestData("the identifier is required: it is empty at the end of the path")
            raise MethodNotAllowed(f"method {method} is not allowed here", allow=self._allow)
        if self._ngsi_ld:
            self._refuse_empty(method, variables)
        scope["operation"] = operation.name
        if operation.secret_path:
            scope["logged_path"] = operation.path
        path, services = scope["path"], self._services
        if len(path) > services.settings.max_url:
            raise PayloadTooLarge(f"the path is longer than {services.settings.max_url} characters")
        if services.fresh is not None and operation.name not in _OF_THE_PROCESS:
            await services.fresh()
        tenant = tenant_of(headers)
        party = services.identify(headers)
        cause = Cause(
            kind="request", id=f"request:{scope['request_id']}", party=party, operation=operation.name
        )
        forwarding = Forwarding(via=via_of(headers), headers=headers) if self._ngsi_ld else None
        call = Call(tenant=tenant, party=party, cause=cause, forwarding=forwarding)
        snapshot = snapshot_of(headers) if self._ngsi_ld else None
        if snapshot is not None:
            if not operation.path.startswith(_IN_SNAPSHOTS):
                raise BadRequestData(f"header {SNAPSHOT_HEADER} is invalid: this operation is on no snapshot")
            call = replace(call, tenant=services.snapshots.place(call, snapshot))
        incoming = Incoming(services, call, operation.method, path, headers, receive)
        if client := scope.get("client"):
            incoming.peer = client[0]
        if operation.answers and not operation.formats:
            incoming.accept = accepted(headers, operation.answers)
        if not operation.any_params:
            known = None if operation.more_params else operation.params
            incoming.params = parse_params(scope["query_string"], known, operation.unbuilt, self._longest)
        if operation.formats:
            incoming.accept = _chosen(headers, incoming.params.text("f"), operation)
        if "options" in operation.params:
            incoming.options = parse_options(incoming.params, operation.options)
        if forwarding is not None and "local" in operation.params:
            forwarding.local = incoming.params.flag("local")
        if snapshot is not None and forwarding is not None:
            forwarding.local = True
            if "local" in operation.params:
                # Whatever was said: what is done in a snapshot is local (6.3.18).
                incoming.params = Params({**incoming.params, "local": "true"})
        if variables:
            incoming.path = {name: _decoded(name, value) for name, value in variables.items()}
        try:
            response = await operation.handler(incoming)
        except PartlyDone as part:
            response = _partly(part)
        except CityloomError as error:
            if forwarding is None or not forwarding.warnings:
                raise
            response = problem_response(error, ngsi_ld=self._ngsi_ld)
        if forwarding is not None:
            for warning in forwarding.warnings:
                response.headers.append("NGSILD-Warning", warning)
        return response

    def _refuse_empty(self, method: str, variables: Mapping[str, str]) -> None:
        """Refuses a path in which an identifier is empty, where the resource above knows no such method.

        Not the first one, which names the resource: its handler says that it is required (5.6, 5.9), as
        it does of a later one where the method is known above (6.3.2 tells of wrong methods alone).
        """
        if len(variables) > 1 and method not in self._above and "" in list(variables.values())[1:]:
            allow = ", ".join(sorted(self._above))
            raise MethodNotAllowed(f"method {method} is not allowed here", allow=allow)

    def _describe(self) -> Response:
        headers = {"Allow": self._allow}
        if "PATCH" in self.operations:
            types = ["application/json", "application/ld+json", MERGE_PATCH]
            headers["Accept-Patch"] = ", ".join(types if self._ngsi_ld else types[:1])
        return Response(status_code=204, headers=headers)


def _allowed(operations: Sequence[Operation]) -> frozenset[str]:
    """The methods of a path, with those that it answers by itself."""
    methods = {*(operation.method for operation in operations), "OPTIONS"}
    return frozenset(methods | {"HEAD"} if "GET" in methods else methods)


def _partly(part: PartlyDone) -> Response:
    """207 for what was done in some places only (5.2.16, 5.2.18)."""
    if isinstance(part.result, BatchResult):
        return batch_answer(part.result, tells_created=False)
    return update_answer(part.result)


def _chosen(headers: Headers, word: str | None, operation: Operation) -> str:
    """The media type that the parameter `f` names, or else the Accept header allows."""
    if word is None:
        return accepted(headers, operation.answers or tuple(operation.formats.values()))
    found = operation.formats.get(word)
    if found is None:
        known = ", ".join(operation.formats)
        raise InvalidRequest(f"parameter f is invalid: {word[:100]!r} is none of {known}")
    return found


def _decoded(name: str, value: str) -> str:
    if "%" not in value:
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is invalid: it is no percent-encoded UTF-8") from None


def add_resources(paths: Paths, services: Services, operations: Iterable[Operation]) -> None:
    """Adds a resource for each path that operations have."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    with_id = [each for group in by_path.values() for each in group if each.refuses_no_id]
    for path, group in by_path.items():
        above = by_path.get(path.rpartition("/")[0], ())
        below = frozenset(
            each.method for each in with_id if each.path.startswith(path + "/{") and each.path.endswith("}")
        )
        paths.add(path, Resource(services, group, above, below), group[0].rest)
