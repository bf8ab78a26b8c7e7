"""`cityloom cases` against a real node, and past requests made cases in its folder."""

from pathlib import Path

import httpx
from typer.testing import CliRunner

from cases.tiny import tiny_city
from cityloom.app import Node
from cityloom.cases.desk.wishes import Report
from cityloom.cli.main import app
from cityloom.folder import CityFolder
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import CityloomError
from cityloom.model.time import parse_datetime
from tests.cli.test_commands import run as command
from tests.nodes import NodeProcess


def run(*words: str) -> str:
    """A command that asks a node. One that opens a city sets up the logs of its process: see `command`."""
    done = CliRunner().invoke(app, ["cases", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def refused(*words: str) -> str:
    try:
        run(*words)
    except CityloomError as error:
        return error.detail
    raise AssertionError("it was not refused")


def test_cases_are_listed_shown_and_moved_and_past_requests_become_cases(tmp_path: Path) -> None:
    city, _ = tiny_city(tmp_path)
    with NodeProcess(city) as node:
        made = httpx.post(f"{node.url}/cases", json={"type": "street-light", "description": "lamp [out]"})
        case = made.json()["id"].rpartition(":")[2]
        forged = httpx.delete(f"{node.url}/ngsi-ld/v1/entities/{made.json()['id']}")
        assert (forged.status_code, "belongs to cases" in forged.json()["detail"]) == (422, True)
        url = ("--url", node.url)
        listed = run("list", *url)
        assert case in listed
        assert "1 of 1" in listed
        shown = run("show", case, *url)
        assert "lamp [out]" in shown
        assert "askVerify" in shown
        moved = run("move", case, "reject", "reason=there is no lamp", *url)
        assert "rejected, closed, with nobody" in moved
        assert "0 of 0" in run("list", *url)
        assert "is not possible there" in refused("move", case, "accept", "--role", "intake", *url)
        assert "has moved on" in refused("move", case, "accept", "--seen", "1", *url)
        assert "name=value is required" in refused("move", case, "reject", "reason", *url)
        assert "does not exist" in refused("show", "1999-000001", *url)
        file = tmp_path / "calendar.yaml"
        file.write_text(run("calendar", "show", *url))
        assert "edition 1 is the same" in run("calendar", "put", str(file), *url)
        holiday = file.read_text().replace("years:", "yearly:\n  11-11: Fair\nyears:", 1)
        file.write_text("\n".join(line for line in holiday.splitlines() if line != "yearly: {}") + "\n")
        assert "days with work" in run("calendar", "check", str(file))
        assert "edition 2 holds" in run("calendar", "put", str(file), *url)
        assert "edition 2 is the same" in run("calendar", "put", str(file), *url)
        assert "request" in run("calendar", "editions", *url)
        file.write_text(file.read_text().replace("Fair", "Fair of 2026"))
        assert "came to hold meanwhile" in refused("calendar", "put", str(file), *url)
        for number, closed in ((1, "2011-07-02T00:00:00Z"), (2, "2011-06-30T00:00:00Z")):
            past = {
                "id": f"urn:ngsi-ld:Open311ServiceRequest:tiny:{number}",
                "type": "Open311ServiceRequest",
                "requested_datetime": {"type": "Property", "value": "2011-07-01T00:00:00Z"},
                "closed_datetime": {"type": "Property", "value": closed},
            }
            assert httpx.post(f"{node.url}/ngsi-ld/v1/entities", json=past).status_code == 201
    assert "no node answers" in refused("list", "--url", "http://127.0.0.1:9")
    done = command("cases", "import", "--data", city)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "2 requests: 1 new cases, 1 closed, 0 known before, 1 without a promise, 1 refused" in said
    assert "closed_datetime is invalid" in said
    with NodeProcess(city) as node:
        listed = run("list", "--status", "closed", "--url", node.url)
        assert "tiny:1 " in listed
        for number in (case, "tiny:1"):
            assert f"{number}: " in run("show", number, "--url", node.url)


async def test_arrivals_are_replayed_and_all_alarms_are_listed_by_type(tmp_path: Path) -> None:
    city, _ = tiny_city(tmp_path)
    folder = CityFolder(city)
    clock = SimulatedClock(parse_datetime("2026-07-06T01:00:00Z"))
    node = Node(folder, folder.settings(), clock)
    assert node.case_parts.cases is not None
    node.prepare()
    for day in range(9):
        for _ in range(30 if day == 8 else 1):
            await node.case_parts.cases.report(node.own_call("test"), Report(type="street-light"))
            clock.advance(60)
        clock.advance(86_400)
    node.close()
    asked = ("cases", "surges", "--data", city, "--until", "2026-08-01T00:00:00Z", "--since")
    told = command(*asked, "2026-07-01T00:00:00Z").stdout
    assert "38 arrivals; 1 alarms in the whole city, 0 in its areas" in told
    assert "street-light" in told
    assert "2026-07-14T01:" in told  # some minutes after the first of that day
    told = command(*asked, "2026-07-20T00:00:00Z").stdout
    assert "38 arrivals; 0 alarms" in told
