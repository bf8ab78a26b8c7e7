"""`/cases`: reports, the queue, moves, status and photos of cases; and what the cases go by."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace
from starlette.responses import FileResponse, Response

from cityloom.cases.desk.wishes import QueueWish, read_move, read_report, read_suggestion
from cityloom.model.errors import BadRequestData, UnsupportedMediaType
from cityloom.web.answers import plain_json
from cityloom.web.body import read_body
from cityloom.web.cases.insights import cases_of
from cityloom.web.cases.schemas import (
    CASE,
    EDITIONS,
    EVIDENCE,
    MOVE,
    PUBLIC,
    PUT_CALENDAR,
    QUEUE,
    REPORT,
    REPORTER,
    SUGGESTION,
    SUGGESTIONS,
    TYPES,
)
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation

_PICTURES: Final = ("image/jpeg", "image/png", "image/webp")
_PICTURE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=31536000, immutable",
}
_WHO: Final = frozenset({"role", "actingFor"})


async def report_case(incoming: Incoming) -> Response:
    """`POST /cases`: something is to be done."""
    with incoming.services.keyless.report(incoming.call, incoming.peer, incoming.headers):
        report = read_report(await incoming.json())
        told = await cases_of(incoming).report(incoming.call, report)
    return plain_json(told, 201, {"Location": f"/cases/{told.id}"})


async def query_cases(incoming: Incoming) -> Response:
    """`GET /cases`: the queue."""
    params, settings = incoming.params, incoming.services.settings
    limit = params.integer("limit", 1) or settings.page_default
    if limit > settings.page_max:
        raise BadRequestData(f"parameter limit is invalid: the most is {settings.page_max}")
    wish = QueueWish(
        ids=tuple(params.names("id")),
        status=params.text("status") or "open",
        since=params.text("since") or "",
        until=params.text("until") or "",
        state=tuple(params.names("state")),
        step=tuple(params.names("step")),
        department=tuple(params.names("department")),
        type=tuple(params.names("type")),
        area=tuple(params.names("area")),
        holder=tuple(params.names("holder")),
        light=tuple(params.names("light")),
        order_by=params.text("orderBy") or "promise",
        limit=limit,
        offset=params.integer("offset") or 0,
    )
    return plain_json(await cases_of(incoming).queue(incoming.call, wish))


async def retrieve_case(incoming: Incoming) -> Response:
    """`GET /cases/{caseId}`: a case whole, with the moves that are open to the caller."""
    params = incoming.params
    return plain_json(
        await cases_of(incoming).show(
            incoming.call,
            incoming.path["caseId"],
            role=params.text("role") or "",
            acting_for=params.text("actingFor") or "",
        )
    )


async def move_case(incoming: Incoming) -> Response:
    """`POST /cases/{caseId}/moves`: the case after the move."""
    wish = read_move(await incoming.json())
    return plain_json(await cases_of(incoming).move(incoming.call, incoming.path["caseId"], wish))


async def add_photo(incoming: Incoming) -> Response:
    """`POST /cases/{caseId}/evidence`: a photo, as it is."""
    media_type = (incoming.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type not in _PICTURES:
        raise UnsupportedMediaType(f"Content-Type is invalid: one of {', '.join(_PICTURES)} is required")
    cases, services = cases_of(incoming), incoming.services
    with services.keyless.photo(incoming.call, incoming.peer, incoming.headers):
        data = await read_body(incoming.receive, incoming.headers, services.settings.max_photo_bytes)
        found = await cases.add_photo(
            incoming.call,
            incoming.path["caseId"],
            data,
            caption=incoming.params.text("caption") or "",
            actor=incoming.params.text("actor") or "",
        )
    return plain_json(found, 201, {"Location": f"{incoming.raw_path}/{found.id}"})


async def read_photo(incoming: Incoming) -> Response:
    """`GET /cases/{caseId}/evidence/{evidenceId}`: the picture, without what it told of its maker."""
    cases = cases_of(incoming)
    found = await cases.photo(incoming.call, incoming.path["caseId"], incoming.path["evidenceId"])
    path = cases.files.path(found.id, found.media_type)
    return FileResponse(path, media_type=found.media_type, headers=_PICTURE_HEADERS)


async def case_status(incoming: Incoming) -> Response:
    """`GET /cases/{caseId}/status`: what everyone may know."""
    return plain_json(await cases_of(incoming).status(incoming.call, incoming.path["caseId"]))


async def case_reporter(incoming: Incoming) -> Response:
    """`GET /cases/{caseId}/reporter?purpose=...`: who reported it; the reading is logged."""
    params = incoming.params
    call = replace(incoming.call, purpose=params.text("purpose") or "")
    found = await cases_of(incoming).reporter(call, incoming.path["caseId"], role=params.text("role") or "")
    return plain_json(found)


async def suggest_cases(incoming: Incoming) -> Response:
    """`POST /cases/suggestions`: what a text may be about."""
    wish = read_suggestion(await incoming.json())
    return plain_json(await cases_of(incoming).suggestions.suggest(incoming.call, wish))


async def case_types(incoming: Incoming) -> Response:
    """`GET /cases/types`: types, conditions and departments, with their names."""
    return plain_json(cases_of(incoming).types(incoming.call))


async def case_limits(incoming: Incoming) -> Response:
    """`GET /cases/limits`: the table of limits by which cases are reported now."""
    return plain_json(cases_of(incoming).limits_table(incoming.call))


async def case_workflow(incoming: Incoming) -> Response:
    """`GET /cases/workflow`: the workflow by which cases are reported now."""
    return plain_json(cases_of(incoming).workflow_told(incoming.call))


async def case_calendar(incoming: Incoming) -> Response:
    """`GET /cases/calendar`: when the city works."""
    number = incoming.params.integer("edition", 1)
    return plain_json(await cases_of(incoming).calendar.told(incoming.call, number))


async def put_calendar(incoming: Incoming) -> Response:
    """`PUT /cases/calendar`: another calendar holds from now on, and open deadlines go by it."""
    document = await incoming.json()
    if not isinstance(document, dict):
        raise BadRequestData("the body is invalid: a JSON object is required")
    return plain_json(await cases_of(incoming).calendar.put(incoming.call, document))


async def calendar_editions(incoming: Incoming) -> Response:
    """`GET /cases/calendar/editions`: every calendar that held."""
    return plain_json(await cases_of(incoming).calendar.editions(incoming.call))


_ANY: Final[dict[str, Any]] = {"type": "object"}
_CASE: Final = "/cases/{caseId}"

OPERATIONS = [
    Operation(
        name="reportCase",
        method="POST",
        path="/cases",
        handler=report_case,
        summary="Report something: a case begins",
        statuses=(201,),
        request=REPORT,
        response=PUBLIC,
    ),
    Operation(
        name="queryCases",
        method="GET",
        path="/cases",
        handler=query_cases,
        summary="The queue: open cases, by what is left of their promise, or of their stage",
        params=frozenset(
            {
                "id",
                "status",
                "since",
                "until",
                "state",
                "step",
                "department",
                "type",
                "area",
                "holder",
                "light",
                "orderBy",
                "limit",
                "offset",
            }
        ),
        response=QUEUE,
    ),
    Operation(
        name="suggestCases",
        method="POST",
        path="/cases/suggestions",
        handler=suggest_cases,
        summary="Types and departments that a text may be about, with confidences; nothing is kept",
        request=SUGGESTION,
        response=SUGGESTIONS,
    ),
    Operation(
        name="caseTypes",
        method="GET",
        path="/cases/types",
        handler=case_types,
        summary="Types, filing conditions and departments of cases, with their names",
        response=TYPES,
    ),
    Operation(
        name="caseLimits",
        method="GET",
        path="/cases/limits",
        handler=case_limits,
        summary="How long cases may take",
        response=_ANY,
    ),
    Operation(
        name="caseWorkflow",
        method="GET",
        path="/cases/workflow",
        handler=case_workflow,
        summary="States, moves and roles of cases",
        response=_ANY,
    ),
    Operation(
        name="caseCalendar",
        method="GET",
        path="/cases/calendar",
        handler=case_calendar,
        summary="When the city works; with `edition`, as an earlier calendar said",
        params=frozenset({"edition"}),
        response=_ANY,
    ),
    Operation(
        name="putCaseCalendar",
        method="PUT",
        path="/cases/calendar",
        handler=put_calendar,
        summary="Another calendar holds from now on: open deadlines are recomputed by it",
        request=_ANY,
        response=PUT_CALENDAR,
    ),
    Operation(
        name="caseCalendarEditions",
        method="GET",
        path="/cases/calendar/editions",
        handler=calendar_editions,
        summary="Every calendar that held: since when, by whom, and how many deadlines it moved",
        response=EDITIONS,
    ),
    Operation(
        name="retrieveCase",
        method="GET",
        path=_CASE,
        handler=retrieve_case,
        summary="A case whole: steps, clocks, history, evidence, the moves that are open to the caller",
        params=_WHO,
        response=CASE,
    ),
    Operation(
        name="moveCase",
        method="POST",
        path=_CASE + "/moves",
        handler=move_case,
        summary="Move a case; 409 when somebody else moved it since the caller looked",
        request=MOVE,
        response=CASE,
    ),
    Operation(
        name="caseStatus",
        method="GET",
        path=_CASE + "/status",
        handler=case_status,
        summary="What everyone may know of a case",
        response=PUBLIC,
    ),
    Operation(
        name="caseReporter",
        method="GET",
        path=_CASE + "/reporter",
        handler=case_reporter,
        summary="Who reported a case; the reading is logged",
        params=frozenset({"purpose", "role"}),
        response=REPORTER,
    ),
    Operation(
        name="addPhoto",
        method="POST",
        path=_CASE + "/evidence",
        handler=add_photo,
        summary="Add a photo as evidence",
        params=frozenset({"caption", "actor"}),
        statuses=(201,),
        takes=_PICTURES,
        response=EVIDENCE,
    ),
    Operation(
        name="readPhoto",
        method="GET",
        path=_CASE + "/evidence/{evidenceId}",
        handler=read_photo,
        summary="A photo of a case",
        answers=_PICTURES,
        response={"type": "string", "format": "binary"},
    ),
]
