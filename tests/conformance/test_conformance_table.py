"""`conformance.yaml` says what the routes do, and which tests show it: each row is looked at."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cityloom.web.operation.metrics import Metrics
from cityloom.web.resource import NGSI_LD_ROOT, Operation
from cityloom.web.routes import operations
from tests.conformance.ogc_requirements import REQUIREMENTS
from tests.web.node import Client

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "conformance.yaml"
Key = tuple[str, str, str, str]


def table() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.load(TABLE.read_text(), yaml.BaseLoader)
    return loaded


def rows() -> list[dict[str, Any]]:
    """The rows of NGSI-LD."""
    return [row for row in table() if "standard" not in row]


def requirements() -> list[dict[str, Any]]:
    """The rows of standards that publish a list of requirements."""
    return [row for row in table() if "standard" in row]


def key(row: dict[str, Any]) -> Key:
    return row["clause"], row.get("method", ""), row.get("path", ""), row.get("parameter", "")


def test_rows_are_well_formed_and_come_once() -> None:
    seen = set()
    for row in rows():
        assert row.keys() <= {"clause", "title", "method", "path", "parameter", "status", "test", "comment"}
        assert "title" not in row or "test" in row, row
        assert row["status"] in ("done", "todo", "exempt"), row
        assert row["status"] != "exempt" or row["comment"], row
        assert key(row) not in seen, row
        seen.add(key(row))


def test_requirements_are_well_formed_and_come_once() -> None:
    seen = set()
    for row in requirements():
        assert row.keys() <= {"standard", "requirement", "status", "test", "comment"}, row
        assert row["status"] in ("done", "todo", "exempt"), row
        assert row["status"] != "exempt" or row["comment"], row
        assert ("test" in row) == (row["status"] == "done"), row
        assert (row["standard"], row["requirement"]) not in seen, row
        seen.add((row["standard"], row["requirement"]))


def test_every_published_requirement_has_a_row() -> None:
    told = {(row["standard"], row["requirement"]) for row in requirements()}
    for standard, published in REQUIREMENTS.items():
        ours = {requirement for of, requirement in told if of == standard}
        assert ours == set(published), standard


@pytest.mark.parametrize(
    "row",
    [row for row in table() if "test" in row],
    ids=lambda row: row["requirement"] if "requirement" in row else row["clause"],
)
def test_test_that_shows_a_requirement_is_there(row: dict[str, Any]) -> None:
    """The test that is named, or where it is a module, one in it."""
    file, _, name = row["test"].partition("::")
    wanted = re.escape(name) if name else r"test_\w+"
    assert re.search(rf"^(async )?def {wanted}\(", (ROOT / file).read_text(), re.MULTILINE), row


LAST: dict[str, int] = {
    "5.6": 21,
    "5.7": 10,
    "5.8": 6,
    "5.9": 4,
    "5.10": 2,
    "5.11": 7,
    "5.13": 5,
    "5.14": 5,
    "5.15": 1,
    "5.16": 7,
}
"""The number of the last operation of each group of chapter 5 (V1.9.1)."""
INTRODUCTIONS = {"5.9.1", "5.11.1", "5.13.1"}


def test_every_operation_of_chapter_5_has_a_row() -> None:
    operations = {f"{group}.{number}" for group, last in LAST.items() for number in range(1, last + 1)}
    assert operations - INTRODUCTIONS <= {row["clause"] for row in rows() if "title" in row}


@pytest.fixture
def bound(node: Client) -> list[Operation]:
    """The operations of the NGSI-LD binding of a node."""
    table = operations(node.services, node.app.hub, Metrics(node.services.store))
    return [each for each in table if each.path.startswith(NGSI_LD_ROOT)]


def test_every_operation_and_parameter_has_a_row_and_every_row_is_there(bound: list[Operation]) -> None:
    routed: dict[Key, str] = {}
    for each in bound:
        place = (each.clause, each.method, each.path.removeprefix(NGSI_LD_ROOT))
        routed[*place, ""] = "todo" if each.any_params else "done"
        routed.update({(*place, name): "done" for name in each.params})
        routed.update({(*place, name): "todo" for name in each.unbuilt})
    told = {key(row): row["status"] for row in rows() if "method" in row}
    assert told == routed


async def test_parameters_that_are_not_built_answer_501(node: Client, bound: list[Operation]) -> None:
    for each in bound:
        path = each.path.replace("{", "").replace("}", "")
        for name in each.unbuilt:
            answer = await node.ask(each.method, f"{path}?{name}=x")
            assert (answer.status, answer.problem) == (501, "NotBuilt"), (each.name, name)


async def test_unknown_parameters_answer_400(node: Client, bound: list[Operation]) -> None:
    for each in bound:
        if not each.any_params:
            path = each.path.replace("{", "").replace("}", "")
            answer = await node.ask(each.method, f"{path}?nonsense=x")
            assert (answer.status, answer.problem) == (400, "InvalidRequest"), each.name
