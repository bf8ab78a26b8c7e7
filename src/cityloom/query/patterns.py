"""Regular expressions of callers, matched in time linear in the text.

Python's `re` backtracks: `(a+)+$` against thirty letters stops a process. RE2
is an automaton without backtracking, with a bound on memory, so a pattern from
outside is safe. Its syntax covers the extended expressions of IEEE 1003.2
with the bracket classes; back references and look-around are refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

from cityloom.model.errors import BadRequestData

MAX_PATTERN: Final = 1_000
"""The longest pattern, in characters."""

_options = re2.Options()
_options.log_errors = False
_options.max_mem = 4 << 20


@lru_cache(maxsize=1_024)
def compile_pattern(text: str, place: str) -> Any:
    """Compiles a caller's regular expression.

    Args:
        text: the pattern.
        place: the name of the parameter, for the error.

    Returns:
        An object with `search(text)` and `fullmatch(text)`.

    Raises:
        BadRequestData: `text` is no regular expression that can be matched in linear time.
    """
    if not isinstance(text, str) or not text:
        raise BadRequestData(f"{place} is invalid: a regular expression is required")
    if len(text) > MAX_PATTERN:
        raise BadRequestData(f"{place} is invalid: the pattern is longer than {MAX_PATTERN} characters")
    try:
        return re2.compile(text, _options)
    except re2.error as error:
        reason = error.args[0]
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise BadRequestData(f"{place} is invalid: the pattern {text!r}: {reason}") from None
