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


def test_line_that_cannot_be_written_is_told_and_the_next_ones_are_written() -> None:
    lines = lines_of("log.info('half', text='\\ud800'); log.info('next')")
    assert [line["event"] for line in lines] == ["a log line could not be written", "next"]
    assert "half" in lines[0]["line"]


def test_value_that_is_no_json_is_told_by_its_repr() -> None:
    (line,) = lines_of("log.info('odd', value=object, text='straße')")
    assert line["value"] == "<class 'object'>"
    assert line["text"] == "straße"


def test_lines_that_nobody_takes_are_bounded_and_counted_and_the_first_are_told_later() -> None:
    script = """
import os, time
reading, writing = os.pipe()
told = os.dup(2)
os.dup2(writing, 2)
os.set_blocking(2, False)  # as a disk that is full: what does not fit fails
for number in range(50_000):
    log.info("counted", number=number)
    if number % 1000 == 0:
        time.sleep(0.01)
time.sleep(0.2)
text = b""
while b"lines were lost" not in text:
    text += os.read(reading, 1_000_000)
log.info("after")
while not text.endswith(b"}\\n") or b"after" not in text:
    text += os.read(reading, 1_000_000)
os.set_blocking(2, True)
os.dup2(told, 2)
os.write(2, text)
"""
    lines = lines_of(script)
    counted = [line["number"] for line in lines if line["event"] == "counted"]
    lost = sum(line["lines"] for line in lines if line["event"] == "log lines were lost")
    assert counted == sorted(set(counted))
    assert counted[:500] == list(range(500))
    assert lost > 10_000
    assert len(counted) + lost == 50_000
    assert lines[-1]["event"] == "after"
