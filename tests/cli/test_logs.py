"""Log lines of a node whose output is no terminal: JSON, whole, all of them, whatever they hold."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import structlog
from cityloom.cli.logs import configure_logs
from cityloom.model.settings import Settings
configure_logs(Settings(log_json=True, log_level="info"))
log = structlog.get_logger("test")
{body}
"""


def lines_of(body: str) -> list[dict[str, Any]]:
    """The lines of a program that logs and ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)], capture_output=True, text=True, check=False
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_written_before_the_process_ends() -> None:
    lines = lines_of("for number in range(1000): log.info('counted', number=number)")
    assert [line["number"] for line in lines] == list(range(1000))
    assert {line["level"] for line in lines} == {"info"}


def test_line_below_the_level_is_left_out() -> None:
    assert [line["event"] for line in lines_of("log.debug('no'); log.warning('yes')")] == ["yes"]


def test_exception_is_told_with_its_traceback() -> None:
    (line,) = lines_of("try: 1 / 0\nexcept ZeroDivisionError: log.exception('failed', part='x')")
    assert (line["event"], line["part"], line["level"]) == ("failed", "x", "error")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_line_names_what_was_bound_to_the_context() -> None:
    (line,) = lines_of("structlog.contextvars.bind_contextvars(seq=7); log.info('made')")
    assert line["seq"] == 7


def test_value_that_is_no_json_is_told_by_its_repr() -> None:
    (line,) = lines_of("log.info('odd', value=object, text='straße')")
    assert line["value"] == "<class 'object'>"
    assert line["text"] == "straße"
