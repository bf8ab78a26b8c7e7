"""Every error has one status, and its document says what the standard asks for (5.5.3, 6.3.2)."""

import inspect

import msgspec
import pytest

from cityloom.model import errors
from cityloom.model.errors import CityloomError
from cityloom.web.problem import STATUS, problem_of, problem_response

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, CityloomError) and value is not CityloomError
]


def test_status_table_has_a_row_for_every_error_class() -> None:
    assert set(STATUS) == set(CLASSES)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("AlreadyExists", 409),
        ("BadRequestData", 400),
        ("InternalError", 500),
        ("InvalidRequest", 400),
        ("LdContextNotAvailable", 504),
        ("NoMultiTenantSupport", 501),
        ("NonexistentTenant", 404),
        ("OperationNotSupported", 422),
        ("ResourceNotFound", 404),
        ("TooComplexQuery", 403),
        ("TooManyResults", 403),
    ],
)
def test_status_is_that_of_the_standard(name: str, status: int) -> None:
    assert STATUS[getattr(errors, name)] == status


@pytest.mark.parametrize("error", CLASSES)
def test_problem_document_names_type_title_detail_and_status(error: type[CityloomError]) -> None:
    document = problem_of(error("what is wrong", field="place"))
    assert document["type"] == f"https://uri.etsi.org/ngsi-ld/errors/{error.__name__}"
    assert document["title"] == error.title
    assert document["detail"] == "what is wrong"
    assert document["status"] == STATUS[error]
    assert document["field"] == "place"


def test_problem_response_is_plain_json_on_the_ngsi_ld_binding() -> None:
    response = problem_response(errors.ResourceNotFound("gone"), ngsi_ld=True)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert msgspec.json.decode(response.body)["detail"] == "gone"


def test_problem_response_is_problem_json_on_our_own_api() -> None:
    response = problem_response(errors.ResourceNotFound("gone"), ngsi_ld=False)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("error", [errors.UnsupportedMediaType, errors.LengthRequired])
def test_problem_response_has_no_body_when_clause_6_3_4_says_so(error: type[CityloomError]) -> None:
    assert problem_response(error("no"), ngsi_ld=True).body == b""
    assert problem_response(error("no"), ngsi_ld=False).body != b""


def test_problem_response_tells_when_to_try_again_and_who_may_not() -> None:
    assert problem_response(errors.Overloaded("busy"), ngsi_ld=True).headers["retry-after"] == "1"
    assert problem_response(errors.Unauthorized("who"), ngsi_ld=True).headers["www-authenticate"] == "Bearer"
