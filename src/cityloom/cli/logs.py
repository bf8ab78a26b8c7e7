"""Structured logs on standard error: JSON for machines, columns for a terminal."""

from __future__ import annotations

import logging
import sys

import structlog

from cityloom.model.errors import ConfigurationError
from cityloom.model.settings import Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(name)s: %(message)s")
