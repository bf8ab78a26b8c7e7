"""Structured logs on standard error: JSON for machines, columns for a terminal."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO, cast

import msgspec
import structlog

from cityloom.model.errors import ConfigurationError
from cityloom.model.settings import Settings

_HELD_SECONDS: Final = 0.05
"""How long a line may wait for others."""
_AGAIN_SECONDS: Final = 0.5
"""How soon lines are tried again that could not be written."""
_HELD_LINES: Final = 20_000
"""Lines that wait for a pipe that nobody reads."""
_KEPT_BYTES: Final = 64 * 1024
"""Of lines that could not be written, to be written later."""
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Lines:
    """A stream of log lines that fails nobody and holds up nobody.

    The log may stand on a disk that is full, or go to a pipe that nobody reads; whoever has something
    to log is at work then, on the writer's thread above all, and must not end or wait for it. The first
    lines that could not be written are kept, which tell why; those after them are counted, and both are
    told when there is room again. Lines are made and written a few at a time by a thread of their own, at
    the latest after `_HELD_SECONDS`, and with the process: a line apiece would cost as much as an answer.
    """

    def __init__(self, stream: TextIO, *, at_once: bool = False) -> None:
        self._stream = stream
        self._at_once = at_once
        self._lost = 0
        self._kept = b""
        self._held: deque[str | dict[str, Any]] = deque()
        self._some = threading.Event()
        self._writing = threading.Lock()
        atexit.register(self.flush)
        if not at_once:
            threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def write(self, line: str | dict[str, Any]) -> None:
        """Takes a whole line, or what it is to tell, which must not change any more."""
        if len(self._held) >= _HELD_LINES:
            self._lost += 1
            return
        self._held.append(line)
        if self._at_once:
            self.flush()
        elif not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Writes what is held back, or as much of it as can be."""
        with self._writing:
            lines = [_text(self._held.popleft()) for _ in range(len(self._held))]
            self._kept = self._write(self._kept)
            if not self._kept and self._lost:
                told, self._lost = self._lost, 0
                self._kept = self._write(b'{"event": "log lines were lost", "lines": %d}\n' % told)
            fresh = "".join(lines).encode("utf-8", "backslashreplace")
            self._keep(self._kept + fresh if self._kept else self._write(fresh))

    def _write(self, text: bytes) -> bytes:
        """What of `text` could not be written."""
        try:
            while text:
                text = text[os.write(self._stream.fileno(), text) :]
        except (OSError, ValueError):
            pass
        return text

    def _keep(self, text: bytes) -> None:
        """Keeps the first whole lines of `text`, and counts the others."""
        end = len(text) if len(text) <= _KEPT_BYTES else text.rfind(b"\n", 0, _KEPT_BYTES) + 1
        self._kept = text[:end]
        self._lost += text.count(b"\n", end)

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_HELD_SECONDS)
            self._some.clear()
            self.flush()
            if self._kept:  # tried again, though nobody should have more to say
                time.sleep(_AGAIN_SECONDS)
                self._some.set()


def _text(line: str | dict[str, Any]) -> str:
    if isinstance(line, str):
        return line
    try:
        return _encode(line).decode() + "\n"
    except Exception as error:
        told = {"event": "a log line could not be written", "why": ascii(error), "line": ascii(line)}
        return _encode(told).decode() + "\n"


class _JsonLogger:
    """A logger whose lines are JSON: what structlog's chain of processors would make, in one step.

    Args:
        sink: what takes a line, and the level below which lines are left out.
        processors, context: structlog's own; there are none.
    """

    def __init__(
        self, sink: tuple[Callable[[dict[str, Any]], Any], int], processors: object, context: object
    ) -> None:
        self._write, self._level = sink

    def bind(self, **_: object) -> _JsonLogger:
        """Itself: no logger of the house has values of its own."""
        return self

    def debug(self, event: str, **fields: Any) -> None:
        """What only a developer asks for."""
        self._tell(10, "debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happened."""
        self._tell(20, "info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What somebody should look at."""
        self._tell(30, "warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What failed."""
        self._tell(40, "error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """What failed, with the traceback of the exception that is being handled."""
        self._tell(40, "error", event, {**fields, "exception": traceback.format_exc().rstrip()})

    def _tell(self, level: int, name: str, event: str, fields: dict[str, Any]) -> None:
        if level < self._level:
            return
        bound = structlog.contextvars.get_contextvars()
        if bound:
            fields = {**bound, **fields}
        fields["event"], fields["level"], fields["timestamp"] = event, name, datetime.now(UTC)
        self._write(fields)


_flushes: Final[list[Callable[[], None]]] = []


def flush_logs() -> None:
    """Writes what is held back, for a process that ends without ceremony."""
    for flush in _flushes:
        flush()


def check_level(settings: Settings) -> int:
    """The level that the settings name. Raises ConfigurationError: it does not exist."""
    level = _LEVELS.get(settings.log_level)
    if level is None:
        raise ConfigurationError(
            f"logLevel is invalid: {settings.log_level!r} is none of {', '.join(_LEVELS)}"
        )
    return level


def configure_logs(settings: Settings, *, at_once: bool = False) -> None:
    """Sets the level and the form of all log lines.

    Args:
        at_once: each line is written when it is told, by whoever tells it: no thread is started.

    Raises:
        ConfigurationError: the level does not exist.
    """
    level = check_level(settings)
    as_json = settings.log_json if settings.log_json is not None else not sys.stderr.isatty()
    lines = _Lines(sys.stderr, at_once=at_once)
    _flushes[:] = [lines.flush]
    if as_json:
        structlog.configure(
            processors=[],
            wrapper_class=cast(type[structlog.typing.BindableLogger], _JsonLogger),
            logger_factory=lambda *_: (lines.write, level),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.StackInfoRenderer(),
                # The plain traceback: the other shows local variables, and with them a request's key.
                structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.WriteLoggerFactory(cast(TextIO, lines)),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(name)s: %(message)s")
