"""The operations of `/open311`, each in its formats."""

from __future__ import annotations

from typing import Any, Final

from cityloom.cases.open311.requests import Service, ServiceDefinition, ServiceRequest
from cityloom.web.cases.schemas import schema_of
from cityloom.web.open311 import requests as open311
from cityloom.web.open311.form import FORM
from cityloom.web.open311.requests import V2
from cityloom.web.open311_answers import CSV, FORMATS, OPEN311_ROOT
from cityloom.web.resource import Handler, Operation, Schema

_COMMON: Final = frozenset({"jurisdiction_id", "api_key"})
_FILTERS: Final = frozenset({"service_code", "start_date", "end_date"})
_TEXT: Final[Schema] = {"type": ["string", "null"]}
_DISCOVERY: Final[Schema] = {
    "type": "object",
    "required": ["changeset", "contact", "key_service", "endpoints"],
    "properties": {"endpoints": {"type": "array", "items": {"type": "object"}}},
}


def _array(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _request_schema() -> Schema:
    schema = schema_of(ServiceRequest)
    schema["required"] = [name for name in schema["properties"] if name != "extended_attributes"]
    return schema


_MADE: Final = _array({"type": "object", "properties": {"service_request_id": _TEXT, "token": _TEXT}})


def _in_formats(name: str, path: str, handler: Handler, **rest: Any) -> list[Operation]:
    """One operation for each format, which is the end of the path."""
    return [
        Operation(
            name=f"{name}{extension.capitalize()}",
            method=rest.get("method", "GET"),
            path=f"{path}.{extension}",
            handler=handler,
            answers=(media_type,),
            **{key: value for key, value in rest.items() if key != "method"},
        )
        for extension, media_type in FORMATS.items()
    ]


def _of_one(name: str, path: str, handler: Handler, **rest: Any) -> Operation:
    """An operation whose variable ends in `.xml` or `.json`."""
    return Operation(
        name=name, method="GET", path=path, handler=handler, answers=tuple(FORMATS.values()), **rest
    )


OPERATIONS: Final = [
    *_in_formats(
        "open311Discovery",
        f"{OPEN311_ROOT}/discovery",
        open311.discovery,
        summary="Open311: where the endpoint is",
        params=_COMMON,
        response=_DISCOVERY,
    ),
    *_in_formats(
        "open311Services",
        f"{V2}/services",
        open311.services,
        summary="Open311: what can be reported",
        params=_COMMON,
        response=_array(schema_of(Service)),
    ),
    _of_one(
        "open311Service",
        f"{V2}/services/{{serviceCode}}",
        open311.definition,
        summary="Open311: what is asked for with a service; the code ends in .xml or .json",
        params=_COMMON,
        response=schema_of(ServiceDefinition),
    ),
    *_in_formats(
        "open311Requests",
        f"{V2}/requests",
        open311.requests,
        summary="Open311: requests of the last 90 days, or what the filters say",
        params=_COMMON | _FILTERS | {"service_request_id", "status", "page", "page_size", "extensions"},
        response=_array(_request_schema()),
    ),
    *_in_formats(
        "open311Report",
        f"{V2}/requests",
        open311.report,
        method="POST",
        summary="Open311: report something; a case begins",
        params=_COMMON,
        statuses=(201,),
        takes=(FORM,),
        response=_MADE,
    ),
    Operation(
        name="open311Bulk",
        method="GET",
        path=f"{V2}/requests.csv",
        handler=open311.bulk,
        summary="Open311: every request as a table",
        params=_COMMON | _FILTERS | {"status"},
        answers=(CSV,),
        response={"type": "string"},
    ),
    *(
        _of_one(
            name,
            f"{V2}/{path}/{{serviceRequestId}}",
            open311.request,
            summary="Open311: one request; the id ends in .xml or .json",
            params=_COMMON | {"extensions"},
            response=_array(_request_schema()),
        )
        for name, path in (("open311Request", "requests"), ("open311RequestAgain", "request"))
    ),
    _of_one(
        "open311Token",
        f"{V2}/tokens/{{token}}",
        open311.token,
        summary="Open311: the request that a token stands for; the token ends in .xml or .json",
        params=_COMMON,
        response=_MADE,
    ),
]
