"""Cases read as Open311's services and service requests.

Source: GeoReport v2 (wiki.open311.org): GET Service Requests, GET service_request_id from a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.cases.desk.reading import CASES, STATUS, CaseReads
from cityloom.cases.desk.rules_told import TYPES
from cityloom.cases.desk.wishes import LONGEST, QueueWish, Report, Reporter
from cityloom.cases.keep.keeping import REQUEST, digest
from cityloom.cases.keep.kept import iri, kept_of
from cityloom.cases.keep.numbers import full_id
from cityloom.cases.keep.reported import reported
from cityloom.cases.open311.requests import (
    OTHER,
    Language,
    Seen,
    Service,
    ServiceDefinition,
    ServiceRequest,
    bulk_row,
    definition_of,
    request_of,
    services_of,
)
from cityloom.ld.names import is_uri
from cityloom.model.entity import LOCATION, Entity
from cityloom.model.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthorized
from cityloom.model.time import format_datetime, parse_datetime
from cityloom.query.evaluate import matcher
from cityloom.query.values import Path, QAnd, QExists, Query
from cityloom.store.ports import Snapshot

DAYS: Final = 90
"""The longest span of one question (GET Service Requests)."""
_DAY: Final = 86_400_000_000
_EVERY: Final = 10**9
_TOKEN: Final = "open311:"
STATUSES: Final = ("open", "closed")


class RequestsWish(Struct, frozen=True, kw_only=True):
    """Which requests: `since` and `until` are microseconds since 1970, both included; 0: no bound."""

    ids: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    since: int = 0
    until: int = 0
    limit: int = 1000
    offset: int = 0
    extended: bool = False


def span_of(start: str | None, end: str | None, now: int) -> tuple[int, int]:
    """The span of time that a question is about: 90 days at most, the last ones where nothing is said.

    Args:
        start, end: date-times with a zone; None where they are not given.
        now: microseconds since 1970.

    Raises:
        BadRequestData: one is none, they are in the wrong order, or too far apart.
    """
    since = None if start is None else parse_datetime(start.replace(" ", "+"), "start_date")
    until = None if end is None else parse_datetime(end.replace(" ", "+"), "end_date")
    if until is None:
        until = now if since is None else max(since, min(now, since + DAYS * _DAY))
    elif until % 1_000_000 == 0:
        until += 999_999  # times are told in whole seconds
    if since is None:
        since = until - DAYS * _DAY
    if since > until:
        raise BadRequestData("start_date is invalid: it is after end_date")
    if until - since > DAYS * _DAY + 999_999:
        raise BadRequestData(f"end_date is invalid: more than {DAYS} days after start_date")
    return since, until


class Open311Reads(CaseReads):
    """What is told of cases in the words of Open311."""

    def open311_services(self, call: Call, language: Language) -> list[Service]:
        """What can be reported."""
        self._may(call, "read", TYPES)
        return services_of(self.book.rules, language)

    def open311_definition(self, call: Call, code: str, language: Language) -> ServiceDefinition:
        """What is asked for with a service. Raises ResourceNotFound."""
        self._may(call, "read", TYPES)
        self._check_service(code)
        return definition_of(self.book.rules, code, language)

    async def open311_requests(
        self, call: Call, wish: RequestsWish, language: Language
    ) -> list[ServiceRequest]:
        """A page of requests, the newest first; parts of a split case are inside of the whole.

        A page can hold fewer than `limit` for that. Raises BadRequestData.

        Cost: the cases that were reported in the span, until the page is full.
        """
        now = self._clock.now()
        found = await self._seen(call, wish, "-reportedAt")
        return [request_of(one, self.book.rules, language, now) for one in found]

    async def open311_request(
        self, call: Call, request_id: str, language: Language, *, extended: bool
    ) -> ServiceRequest:
        """One request. Raises ResourceNotFound."""
        found = await self.open311_requests(
            call, RequestsWish(ids=(request_id,), extended=extended), language
        )
        if not found:
            raise ResourceNotFound(f"service_request_id {request_id[:100]!r} was not found")
        return found[0]

    async def open311_ids(self, call: Call, wish: RequestsWish) -> list[str]:
        """The ids of every request that a wish selects, by number: what the bulk file is made of."""
        self._may(call, "read", STATUS)
        query, _ = self._requests_query(replace(wish, limit=_EVERY, offset=0), "id")
        return await self._read(call, lambda snapshot: self._ordered(snapshot, call, query))

    async def open311_rows(self, call: Call, wish: RequestsWish, language: Language) -> list[list[Any]]:
        """Rows of the bulk file, by number; one that is gone meanwhile is left out."""
        now = self._clock.now()
        found = await self._seen(call, wish, "id")
        return [bulk_row(one, self.book.rules, language, now) for one in found]

    async def open311_token(self, call: Call, token: str) -> str:
        """The id of the case that a token stands for. Raises ResourceNotFound."""
        self._may(call, "read", STATUS)

        def work(snapshot: Snapshot) -> str | None:
            document = snapshot.document(call.tenant, REQUEST, digest(_TOKEN + token))
            return None if document is None else str(document.body["case"])

        found = await self._read(call, work)
        if found is None:
            raise ResourceNotFound(f"token {token[:100]!r} was not found")
        return found

    async def open311_report(
        self, call: Call, form: Mapping[str, str], answers: Mapping[str, tuple[str, ...]], token: str
    ) -> Report:
        """The report that a form is.

        Args:
            form: the parameters of POST Service Request; empty ones are as if they were not there.
            answers: what `attribute[code]` said, by code.
            token: under which it can be found; "" for none.

        Raises:
            BadRequestData: a parameter is missing or wrong.
            ResourceNotFound: the service does not exist.
        """
        code = form.get("service_code", "")
        if not code:
            raise BadRequestData("service_code was not provided")
        self._check_service(code)
        about = form.get("address_id", "")
        location = _point(form)
        if location is None and not about and not form.get("address_string"):
            raise BadRequestData("lat and long, address_string or address_id is required: where it is")
        if location is None and about:
            location = await self._location_of(call, about)
        description = form.get("description", "")
        if code == OTHER and not description.strip():
            raise BadRequestData(f"description is required with the service {OTHER}")
        media = form.get("media_url", "")
        if media and not (len(media) <= LONGEST and is_uri(media)):
            raise BadRequestData(f"media_url is invalid: {media[:100]!r} is no URI")
        for attribute, question in self.book.rules.open311.questions_of(code).items():
            if question.required and not answers.get(attribute):
                raise BadRequestData(f"attribute[{attribute}] was not provided")
        ids = [f"{name}: {form[name]}" for name in ("device_id", "account_id") if form.get(name)]
        return Report(
            type="" if code == OTHER and OTHER not in self.book.rules.limits.told.types else code,
            description=description,
            location=location,
            address=form.get("address_string", ""),
            about=about,
            channel="open311",
            reporter=Reporter(
                name=" ".join(form[name] for name in ("first_name", "last_name") if form.get(name)),
                phone=form.get("phone", ""),
                email=form.get("email", ""),
                note="; ".join(ids),
            ),
            evidence=(media,) if media else (),
            attributes=dict(answers),
            request_id=_TOKEN + token if token else "",
        )

    def _check_service(self, code: str) -> None:
        if code != OTHER and code not in self.book.rules.limits.told.types:
            raise ResourceNotFound(f"service_code {code[:100]!r} was not found")

    async def _location_of(self, call: Call, entity_id: str) -> dict[str, Any] | None:
        """The point of the entity that is meant; None where it has none. Raises BadRequestData."""

        def work(snapshot: Snapshot) -> Entity | None:
            return snapshot.get(call.tenant, entity_id)

        entity = await self._read(call, work)
        if entity is None:
            raise BadRequestData(f"address_id is invalid: {entity_id[:100]!r} is no entity of this city")
        instance = entity.instance(LOCATION)
        value = None if instance is None else instance.value
        return value if isinstance(value, dict) and value.get("type") == "Point" else None

    async def _seen(self, call: Call, wish: RequestsWish, order: str) -> list[Seen]:
        self._may(call, "read", STATUS)
        texts = self._reads_texts(call)
        query, typeless = self._requests_query(wish, order)

        def work(snapshot: Snapshot) -> list[Seen]:
            found = []
            calendar = self.book.calendar(snapshot)
            for entity in self._page(snapshot, call, wish, query):
                kept = kept_of(entity)
                if kept.case.part_of or (typeless and (kept.case.matter.type or OTHER) not in wish.codes):
                    continue
                workflow = self.book.workflow(snapshot, kept.case.workflow)
                needed = texts or not workflow.is_open(kept.case.state)
                found.append(
                    Seen(
                        kept=kept,
                        calendar=calendar,
                        workflow=workflow,
                        limits=self.book.limits(snapshot, kept.limits).told,
                        transitions=self._transitions(snapshot, call, kept.case.id) if needed else (),
                        texts=texts,
                        extended=wish.extended,
                    )
                )
            return found

        return await self._read(call, work)

    def _page(self, snapshot: Snapshot, call: Call, wish: RequestsWish, query: Query) -> list[Entity]:
        """The cases of a page, in the order of the query where they are named, else the newest first."""
        if wish.ids:
            return snapshot.query(call.tenant, query)
        holds = matcher(query)
        end = wish.offset + wish.limit
        found: list[Entity] = []
        for ids in reported(snapshot, call.tenant, wish.since, wish.until):
            entities = snapshot.get_many(call.tenant, ids)
            found += [entity for id in ids if (entity := entities.get(id)) is not None and holds(entity)]
            if len(found) >= end:
                break
        return found[wish.offset : end]

    def _requests_query(self, wish: RequestsWish, order: str) -> tuple[Query, bool]:
        """The query of a wish, and whether what has no type is to be picked from what it finds."""
        # What has no type cannot be asked for: it is looked for among all.
        typeless = OTHER in wish.codes and OTHER not in self.book.rules.limits.told.types
        query = self._query(
            QueueWish(
                ids=wish.ids,
                status=wish.statuses[0] if len(set(wish.statuses)) == 1 else "all",
                type=() if typeless else wish.codes,
                since=format_datetime(wish.since) if wish.since else "",
                until=format_datetime(wish.until) if wish.until else "",
                order_by=order,
            )
        )
        # A draft has made no move: nobody has reported it yet.
        terms = [QExists(Path((iri("lastMove"),))), *([] if query.q is None else [query.q])]
        return replace(query, q=QAnd(terms), limit=wish.limit, offset=wish.offset), typeless

    def _reads_texts(self, call: Call) -> bool:
        """Whether the caller may read what people wrote: who may read cases."""
        try:
            self._may(call, "read", CASES)
        except (Forbidden, Unauthorized):
            return False
        return True


def ids_of(text: str) -> tuple[str, ...]:
    """The ids of a list with commas, whole."""
    return tuple(full_id(one.strip()) for one in text.split(",") if one.strip())


def _point(form: Mapping[str, str]) -> dict[str, Any] | None:
    """`lat` and `long` (WGS 84 degrees) as a Point; None without them. Raises BadRequestData."""
    if not form.get("lat") and not form.get("long"):
        return None
    numbers = []
    for name, most in (("long", 180.0), ("lat", 90.0)):
        text = form.get(name, "")
        if not text:
            raise BadRequestData(f"{name} is required: lat and long come together")
        try:
            number = float(text)
        except ValueError:
            raise BadRequestData(f"{name} is invalid: {text[:40]!r} is no number") from None
        if not -most <= number <= most:
            raise BadRequestData(f"{name} is invalid: {text[:40]!r} is not between -{most:g} and {most:g}")
        numbers.append(number)
    return {"type": "Point", "coordinates": numbers}
