"""Structured logs on standard error: JSON for machines, columns for a terminal."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog

from cityloom.model.errors import ConfigurationError
from cityloom.model.settings import Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Lines:
    """A stream of log lines that fails nobody.

    The log may stand on a disk that is full; whoever has something to log is at work then, on
    the writer's thread above all, and must not end for it. Lines that were lost are counted, and
    told when there is room again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def write(self, text: str) -> None:
        """Writes whole lines."""
        if self._lost:
            text = f'{{"event": "log lines were lost", "lines": {self._lost}}}\n{text}'
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._lost += 1
        else:
            self._lost = 0

    def flush(self) -> None:
        """Nothing is held back."""


def configure_logs(settings: Settings) -> None:
    """Sets the level and the form of all log lines.

    Raises:
        ConfigurationError: the level does not exist.
    """
    level = _LEVELS.get(settings.log_level)
    if level is None:
        raise ConfigurationError(
            f"logLevel is invalid: {settings.log_level!r} is none of {', '.join(_LEVELS)}"
        )
    as_json = settings.log_json if settings.log_json is not None else not sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # The plain traceback: the other shows local variables, and with them a request's key.
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([structlog.processors.format_exc_info] if as_json else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Lines(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(name)s: %(message)s")
