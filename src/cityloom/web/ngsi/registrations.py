"""`/csourceRegistrations` of the NGSI-LD binding.

Source: ETSI GS CIM 009 clauses 5.9, 5.10, 6.8, 6.9.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from cityloom.ld.context import LdContext
from cityloom.model.errors import BadRequestData
from cityloom.query.parse import (
    parse_geo,
    parse_id_pattern,
    parse_ids,
    parse_projection,
    parse_q,
    parse_scope_q,
    parse_temporal,
    parse_type_selection,
)
from cityloom.query.sources import EntitySpecification, SourceQuery, attributes_of
from cityloom.query.values import TemporalQuery
from cityloom.web.answers import created, ld_answer, no_content
from cityloom.web.body import JSON_TYPES
from cityloom.web.incoming import Incoming
from cityloom.web.ngsi.queries import GEO, SELECTION, read_languages
from cityloom.web.paging import PAGING_PARAMS, RESULTS_COUNT, page_links, parse_paging
from cityloom.web.params import Params
from cityloom.web.resource import NGSI_LD_ROOT, Operation

_PATH: Final = f"{NGSI_LD_ROOT}/csourceRegistrations"
_SYS_ATTRS: Final = frozenset({"sysAttrs"})
_TIME: Final = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty"})
_PROJECTION: Final = frozenset({"attrs", "pick", "omit", "lang", "geometryProperty", "datasetId"})


async def create_registration(incoming: Incoming) -> Response:
    """5.9.2."""
    document, ld_context = await incoming.document()
    made = await incoming.services.registrations.create(incoming.call, document, ld_context)
    return created("csourceRegistrations", made)


async def query_registrations(incoming: Incoming) -> Response:
    """5.10.2."""
    paging = parse_paging(incoming.params, incoming.services.settings)
    ld_context = await incoming.ld_context()
    documents, total = await incoming.services.registrations.query(
        incoming.call,
        read_source_query(incoming.params, ld_context),
        ld_context,
        limit=paging.limit,
        offset=paging.offset,
        sys_attrs="sysAttrs" in incoming.options,
    )
    more = paging.offset + len(documents) < total
    return await ld_answer(
        incoming,
        ld_context,
        list(documents),
        links=page_links(incoming.raw_path, incoming.params, paging, more, incoming.accept),
        headers={RESULTS_COUNT: str(total)} if paging.count else None,
    )


async def retrieve_registration(incoming: Incoming) -> Response:
    """5.10.1."""
    registration_id = incoming.identifier("registrationId")
    ld_context = await incoming.ld_context()
    document = await incoming.services.registrations.retrieve(
        incoming.call, registration_id, ld_context, sys_attrs="sysAttrs" in incoming.options
    )
    return await ld_answer(incoming, ld_context, document)


async def update_registration(incoming: Incoming) -> Response:
    """5.9.3."""
    registration_id = incoming.identifier("registrationId")
    fragment, ld_context = await incoming.document()
    await incoming.services.registrations.update(incoming.call, registration_id, fragment, ld_context)
    return no_content()


async def delete_registration(incoming: Incoming) -> Response:
    """5.9.4."""
    await incoming.services.registrations.delete(incoming.call, incoming.identifier("registrationId"))
    return no_content()


def read_source_query(params: Params, ld_context: LdContext) -> SourceQuery:
    """What a request asks of context sources: the words of a query for entities, and `csf`.

    The attributes of `q`, of `attrs` and `pick` and a geoproperty that is named are those
    of which a source must have one (5.10.2.4). `omit`, `lang` and `geometryProperty` shape
    entities, so that they select nothing here.

    Raises:
        BadRequestData: a part is invalid, or the query is too wide.
    """
    expand = ld_context.expand_term
    projection = parse_projection(params, expand)
    read_languages(projection)
    types = params.text("type")
    q = params.text("q")
    geo = parse_geo(params, expand)
    attrs = dict.fromkeys(projection.attrs)
    attrs |= dict.fromkeys(path[0] for path in projection.pick if path[0] not in ("id", "type", "scope"))
    # What a projection names alone does not narrow down: it is told whether there is anything else.
    ids, pattern = params.text("id"), params.text("idPattern")
    id_list = parse_ids(ids) if ids is not None else []
    temporal = parse_temporal(params) if any(name in params for name in _TIME) else None
    if types is None and q is None and geo is None and not attrs:
        raise BadRequestData("type, attrs, q or georel is required: the query is too wide")
    condition = None if q is None else parse_q(q, expand)
    if condition is not None:
        attrs |= dict.fromkeys(sorted(attributes_of(condition)))
    if geo is not None and params.text("geoproperty") is not None:
        attrs[geo.geoproperty] = None
    specification = EntitySpecification(
        types=None if types is None else parse_type_selection(types, expand),
        ids=id_list,
        id_pattern=None if pattern is None or id_list else parse_id_pattern(pattern),
    )
    csf, scope_q = params.text("csf"), params.text("scopeQ")
    return SourceQuery(
        entities=[] if specification == EntitySpecification() else [specification],
        attrs=list(attrs),
        dataset_ids=projection.dataset_ids,
        geo=geo,
        temporal=_asked(temporal),
        csf=None if csf is None else parse_q(csf, expand),
        scope_q=None if scope_q is None else parse_scope_q(scope_q),
    )


def _asked(temporal: TemporalQuery | None) -> TemporalQuery | None:
    """A temporal query is one only with a timerel: `timeproperty` by itself is passed over (6.8.3.2)."""
    return temporal if temporal is not None and temporal.timerel is not None else None


OPERATIONS = [
    Operation(
        name="createRegistration",
        method="POST",
        path=_PATH,
        handler=create_registration,
        summary="Register a context source",
        clause="6.8.3.1",
        statuses=(201,),
    ),
    Operation(
        name="queryRegistrations",
        method="GET",
        path=_PATH,
        handler=query_registrations,
        summary="Query the registrations of context sources",
        clause="6.8.3.2",
        params=SELECTION | GEO | _TIME | _PROJECTION | PAGING_PARAMS | {"csf", "options"},
        options=_SYS_ATTRS,
        answers=JSON_TYPES,
    ),
    Operation(
        name="retrieveRegistration",
        method="GET",
        path=_PATH + "/{registrationId}",
        handler=retrieve_registration,
        summary="Retrieve the registration of a context source",
        clause="6.9.3.1",
        params=frozenset({"options"}),
        options=_SYS_ATTRS,
        answers=JSON_TYPES,
    ),
    Operation(
        name="updateRegistration",
        method="PATCH",
        path=_PATH + "/{registrationId}",
        handler=update_registration,
        summary="Update the registration of a context source",
        clause="6.9.3.2",
        statuses=(204,),
    ),
    Operation(
        name="deleteRegistration",
        method="DELETE",
        path=_PATH + "/{registrationId}",
        handler=delete_registration,
        summary="Delete the registration of a context source",
        clause="6.9.3.3",
        statuses=(204,),
    ),
]
