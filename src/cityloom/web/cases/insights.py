"""What is seen in cases: `/cases/evaluation`, `…/surges`, `…/nearby`, `…/place`, `…/duplicates`."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from cityloom.cases.desk.wishes import NotSameWish, read_not_same
from cityloom.cases.looks.alike import DuplicatesTold, NearbyTold
from cityloom.cases.looks.evaluated import EvaluationTold, EvaluationWish, MembersTold, TrendTold
from cityloom.cases.looks.insights import CaseInsights
from cityloom.cases.looks.surges_told import SurgesTold, SurgeWish
from cityloom.cases.service import Cases, PlaceTold
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.web.answers import plain_json
from cityloom.web.cases.schemas import schema_of
from cityloom.web.incoming import Incoming
from cityloom.web.resource import Operation


async def evaluate_cases(incoming: Incoming) -> Response:
    """`GET /cases/evaluation`: figures and scores of a period, each with its counts."""
    return plain_json(await _insights(incoming).evaluations.evaluation(incoming.call, _period(incoming)))


async def evaluated_cases(incoming: Incoming) -> Response:
    """`GET /cases/evaluation/cases`: the cases behind a figure."""
    params = incoming.params
    limit, offset = page_of(incoming)
    return plain_json(
        await _insights(incoming).evaluations.members(
            incoming.call,
            _period(incoming),
            indicator=_required(incoming, "indicator"),
            group=params.text("group") or "",
            part=params.text("part") or "denominator",
            limit=limit,
            offset=offset,
        )
    )


async def evaluation_trend(incoming: Incoming) -> Response:
    """`GET /cases/evaluation/trend`: the figures of a group by day, week or month."""
    group = incoming.params.text("group") or ""
    return plain_json(await _insights(incoming).evaluations.trend(incoming.call, _period(incoming), group))


async def case_duplicates(incoming: Incoming) -> Response:
    """`GET /cases/{caseId}/duplicates`: what may be the same."""
    found = await _insights(incoming).duplicates.duplicates(incoming.call, incoming.path["caseId"])
    return plain_json(found)


async def case_not_same(incoming: Incoming) -> Response:
    """`POST /cases/{caseId}/duplicates/refusals`: another case is not the same; what is still proposed."""
    wish = read_not_same(await incoming.json())
    found = await _insights(incoming).duplicates.not_same(incoming.call, incoming.path["caseId"], wish)
    return plain_json(found)


async def cases_nearby(incoming: Incoming) -> Response:
    """`GET /cases/nearby`: what is open of a type near a place."""
    place = _degrees(incoming, "longitude", 180.0), _degrees(incoming, "latitude", 90.0)
    found = await _insights(incoming).duplicates.nearby(incoming.call, _required(incoming, "type"), place)
    return plain_json(found)


async def case_place(incoming: Incoming) -> Response:
    """`GET /cases/place`: by what people know a place."""
    place = _degrees(incoming, "longitude", 180.0), _degrees(incoming, "latitude", 90.0)
    return plain_json(await cases_of(incoming).place(incoming.call, place))


async def query_surges(incoming: Incoming) -> Response:
    """`GET /cases/surges`: alarms that are on, or were."""
    params = incoming.params
    limit, offset = page_of(incoming)
    wish = SurgeWish(
        status=params.text("status") or "open",
        since=params.text("since") or "",
        until=params.text("until") or "",
        type=params.names("type"),
        area=params.names("area"),
        limit=limit,
        offset=offset,
    )
    return plain_json(await _insights(incoming).surges.surges(incoming.call, wish))


def page_of(incoming: Incoming) -> tuple[int, int]:
    """`limit` and `offset` of a page. Raises BadRequestData: the page is too large."""
    params, settings = incoming.params, incoming.services.settings
    limit = params.integer("limit", 1) or settings.page_default
    if limit > settings.page_max:
        raise BadRequestData(f"parameter limit is invalid: the most is {settings.page_max}")
    return limit, params.integer("offset") or 0


def _period(incoming: Incoming) -> EvaluationWish:
    params = incoming.params
    return EvaluationWish(
        since=_required(incoming, "since"),
        until=_required(incoming, "until"),
        by=params.text("by") or "",
        every=params.text("every") or "",
        evaluated_at=params.text("evaluatedAt") or "",
    )


def _degrees(incoming: Incoming, name: str, most: float) -> float:
    text = _required(incoming, name)
    try:
        number = float(text)
    except ValueError:
        raise BadRequestData(f"parameter {name} is invalid: {text[:40]!r} is no number") from None
    if not -most <= number <= most:
        raise BadRequestData(
            f"parameter {name} is invalid: {text[:40]!r} is not between -{most:g} and {most:g}"
        )
    return number


def _required(incoming: Incoming, name: str) -> str:
    text = incoming.params.text(name)
    if not text:
        raise BadRequestData(f"parameter {name} is required")
    return text


def cases_of(incoming: Incoming) -> Cases:
    """The city's cases. Raises ResourceNotFound."""
    cases = incoming.services.cases
    if cases is None:
        raise ResourceNotFound("cases do not exist in this city: its profile names no file of `cases`")
    return cases


def _insights(incoming: Incoming) -> CaseInsights:
    insights = incoming.services.case_insights
    if insights is None:
        raise ResourceNotFound("cases do not exist in this city: its profile names no file of `cases`")
    return insights


_PERIOD: Final = frozenset({"since", "until", "by", "evaluatedAt"})

OPERATIONS = [
    Operation(
        name="evaluateCases",
        method="GET",
        path="/cases/evaluation",
        handler=evaluate_cases,
        summary="What was done in time and well in [since, until), whole and by department, area or type",
        params=_PERIOD | {"every"},
        response=schema_of(EvaluationTold),
    ),
    Operation(
        name="evaluatedCases",
        method="GET",
        path="/cases/evaluation/cases",
        handler=evaluated_cases,
        summary="The cases behind a figure of an evaluation",
        params=_PERIOD | {"indicator", "group", "part", "limit", "offset"},
        response=schema_of(MembersTold),
    ),
    Operation(
        name="evaluationTrend",
        method="GET",
        path="/cases/evaluation/trend",
        handler=evaluation_trend,
        summary="The figures of a group by day, week or month of a period",
        params=_PERIOD | {"every", "group"},
        response=schema_of(TrendTold),
    ),
    Operation(
        name="querySurges",
        method="GET",
        path="/cases/surges",
        handler=query_surges,
        summary="Surges of arriving cases: alarms that are on (or closed, or all), the last raised first",
        params=frozenset({"status", "since", "until", "type", "area", "limit", "offset"}),
        response=schema_of(SurgesTold),
    ),
    Operation(
        name="casesNearby",
        method="GET",
        path="/cases/nearby",
        handler=cases_nearby,
        summary="Open cases of a type near a place, as everyone may know them: before somebody reports again",
        params=frozenset({"type", "longitude", "latitude"}),
        response=schema_of(NearbyTold),
    ),
    Operation(
        name="casePlace",
        method="GET",
        path="/cases/place",
        handler=case_place,
        summary="By what people know a place: the nearest landmark with a name or an address",
        params=frozenset({"longitude", "latitude"}),
        response=schema_of(PlaceTold),
    ),
    Operation(
        name="caseDuplicates",
        method="GET",
        path="/cases/{caseId}/duplicates",
        handler=case_duplicates,
        summary="Cases that may be the same: near in place and time, each with the reason; none is merged",
        response=schema_of(DuplicatesTold),
    ),
    Operation(
        name="caseNotSame",
        method="POST",
        path="/cases/{caseId}/duplicates/refusals",
        handler=case_not_same,
        summary="Another case is not the same: it is not proposed again; what still is",
        request=schema_of(NotSameWish),
        response=schema_of(DuplicatesTold),
    ),
]
