"""How long something may take: limits, and the table that says which limit a case has.

The table's format is described in docs/cases.md; the structs below are its truth. The
limit hangs on the filing condition first: a manhole cover that is missing is another
matter than one that rattles.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from cityloom.cases.clocks.calendar import Calendar
from cityloom.cases.clocks.worktime import DAY, MINUTE
from cityloom.model.errors import BadRequestData, ConfigurationError
from cityloom.yamlfile import convert, load_yaml

Unit = Literal["microsecond", "urgentMinute", "urgentHour", "urgentDay", "workMinute", "workHour", "workDay"]
By = Literal["conditionAndGrade", "condition", "typeAndGrade", "type", "default", "stage", "given"]

ORDER: Final[tuple[tuple[By, tuple[Literal["condition", "type", "grade"], ...]], ...]] = (
    ("conditionAndGrade", ("condition", "grade")),
    ("condition", ("condition",)),
    ("typeAndGrade", ("type", "grade")),
    ("type", ("type",)),
    ("default", ()),
)
"""In which order limits are looked for, and what a row of each kind asks for: the most particular first."""

_HOUR: Final = 60 * MINUTE
_URGENT: Final[dict[Unit, int]] = {
    "microsecond": 1,
    "urgentMinute": MINUTE,
    "urgentHour": _HOUR,
    "urgentDay": DAY,
}
_SHORT: Final[dict[str, Unit]] = {
    "Umin": "urgentMinute",
    "Uh": "urgentHour",
    "Ud": "urgentDay",
    "wmin": "workMinute",
    "wh": "workHour",
    "wd": "workDay",
}
_LONG: Final = {unit: short for short, unit in _SHORT.items()}
_TEXT: Final = re.compile(r"(?:(U)([1-9]\d{0,5})(min|h|d)|([1-9]\d{0,5})(wmin|wh|wd))")


class Limit(Struct, frozen=True):
    """A length of time: urgent units run on through nights and holidays, work units do not.

    In microseconds it is what lies between a report and a promise that was given as a date: no
    table has such, and it is below 0 where the date was past already.
    """

    amount: int
    unit: Unit

    @property
    def continuous(self) -> bool:
        """Whether it runs through nights, weekends and holidays."""
        return self.unit in _URGENT

    def micros(self, calendar: Calendar) -> int:
        """Its length in microseconds, of continuous time or of work time."""
        if self.unit == "workDay":
            return self.amount * calendar.work_day
        return self.amount * (_URGENT.get(self.unit) or (MINUTE if self.unit == "workMinute" else _HOUR))

    def __str__(self) -> str:
        if self.unit == "microsecond":
            return f"U{self.amount / 1_000_000:.15g}s"
        short = _LONG[self.unit]
        return f"U{self.amount}{short[1:]}" if self.continuous else f"{self.amount}{short}"


def parse_limit(text: str, place: str) -> Limit:
    """Reads `U15min`, `U2h`, `U1d` (urgent: continuous), `30wmin`, `4wh` or `2wd` (work time).

    Raises:
        BadRequestData: it is none of them.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise BadRequestData(f"{place} is invalid: {text!r} is no limit (U15min, U2h, U1d, 30wmin, 4wh, 2wd)")
    urgent, many, unit, work_many, work_unit = match.groups()
    return Limit(int(many or work_many), _SHORT[f"U{unit}" if urgent else work_unit])


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a row of the table says: the department's limit, what the citizen is promised, or both."""

    limit: str = ""
    promise: str = ""


class TypeRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of case, its terms, and those for areas of a grade; `source` is where the type was found."""

    title: dict[str, str] = {}
    source: str = ""
    limit: str = ""
    promise: str = ""
    grades: dict[str, Terms] = {}


class ConditionRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A filing condition of some types, its terms, and those for areas of a grade."""

    title: dict[str, str] = {}
    types: list[str]
    limit: str = ""
    promise: str = ""
    grades: dict[str, Terms] = {}


class TableFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of limits as it is written down.

    Codes are not stable between sources: `scheme` and `version` say whose codes these are.
    `stages` are the limits of the steps that are the city's own, such as dispatching.
    """

    scheme: str
    version: str
    title: dict[str, str] = {}
    source: str = ""
    grades: list[str] = []
    default: Terms
    stages: dict[str, str] = {}
    types: dict[str, TypeRow] = {}
    conditions: dict[str, ConditionRow] = {}


class Matter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a case is about, as far as is known: codes of the table's scheme."""

    type: str = ""
    condition: str = ""
    grade: str = ""


class Resolved(Struct, frozen=True, kw_only=True):
    """A limit and why it holds: by which row, of which table."""

    limit: Limit
    by: By
    row: str
    scheme: str
    version: str


class Limits(Protocol):
    """What says how long something may take: a `LimitTable`, or rules over its codes."""

    @property
    def name(self) -> str:
        """Which table in which version, for a person."""
        ...

    def times(self, stage: str) -> bool:
        """Whether there is a limit for a step of the city's own."""
        ...

    def handling(self, matter: Matter) -> Resolved:
        """How long the department has. Raises BadRequestData: a code does not exist."""
        ...

    def promise(self, matter: Matter) -> Resolved | None:
        """What the citizen is promised, if anything. Raises BadRequestData: a code does not exist."""
        ...

    def stage(self, stage: str) -> Resolved:
        """How long a step of the city's own may take."""
        ...

    def given(self, limit: Limit) -> Resolved:
        """A limit that no row says: it was given with the act."""
        ...

    def conditions_of(self, kind: str) -> list[str]:
        """The filing conditions of a type."""
        ...

    def check(self, matter: Matter) -> None:
        """Raises BadRequestData: a code does not exist, or the condition is not one of the type's."""
        ...


Rows = dict[By, dict[tuple[str, ...], Terms | TypeRow | ConditionRow]]
"""The rows of a table in the order of resolution, each by the codes that it asks for."""


class LimitTable(Struct, frozen=True, kw_only=True):
    """A table that was found whole; `rows` are those of `told`, see `rows_of`."""

    told: TableFile
    stages: dict[str, Limit]
    rows: Rows

    def handling(self, matter: Matter) -> Resolved:
        """How long the department has.

        Raises:
            BadRequestData: a code does not exist, or the condition is not one of the type's.
        """
        for by, row, terms in self._rows(matter):
            if terms.limit:
                return self._resolved(terms.limit, by, row)
        raise AssertionError("a table has a default limit")

    def promise(self, matter: Matter) -> Resolved | None:
        """What the citizen is promised; None is no promise, which is never "on time".

        Raises:
            BadRequestData: a code does not exist, or the condition is not one of the type's.
        """
        for by, row, terms in self._rows(matter):
            if terms.promise:
                return self._resolved(terms.promise, by, row)
        return None

    def times(self, stage: str) -> bool:
        """Whether the table has a limit for a step of the city's own."""
        return stage in self.stages

    def stage(self, stage: str) -> Resolved:
        """How long a step of the city's own may take, which the table has."""
        told = self.told
        return Resolved(
            limit=self.stages[stage], by="stage", row=stage, scheme=told.scheme, version=told.version
        )

    def given(self, limit: Limit) -> Resolved:
        """A limit that no row says: it was given with the act."""
        told = self.told
        return Resolved(limit=limit, by="given", row="date", scheme=told.scheme, version=told.version)

    def conditions_of(self, kind: str) -> list[str]:
        """The filing conditions of a type."""
        return [code for code, row in self.told.conditions.items() if kind in row.types]

    def check(self, matter: Matter) -> None:
        """Raises BadRequestData: a code does not exist, or the condition is not one of the type's."""
        told = self.told
        if matter.type and matter.type not in told.types:
            raise self._unknown("type", "类型", matter.type)
        if matter.grade and matter.grade not in told.grades:
            raise self._unknown("grade", "区域等级", matter.grade)
        if matter.condition:
            condition = told.conditions.get(matter.condition)
            if condition is None:
                raise self._unknown("condition", "立案条件", matter.condition)
            if matter.type not in condition.types:
                raise _told(
                    f"condition is invalid: {matter.condition!r} is no condition of type {matter.type!r}",
                    f"类型 {matter.type!r} 没有立案条件 {matter.condition!r}",
                )

    def _unknown(self, field: str, title: str, code: str) -> BadRequestData:
        return _told(
            f"{field} is invalid: {code!r} does not exist in {self.name}",
            f"没有{title} {code!r}：时限表 {self.told.scheme} {self.told.version} 中没有它",
        )

    @property
    def name(self) -> str:
        """Scheme and version, for a person."""
        return f"the limits {self.told.scheme} {self.told.version}"

    def _rows(self, matter: Matter) -> Iterator[tuple[By, str, Terms | TypeRow | ConditionRow]]:
        """The rows that speak of the matter, the most particular first."""
        self.check(matter)
        for by, asks in ORDER:
            codes = tuple(getattr(matter, name) for name in asks)
            row = self.rows[by].get(codes)
            if row is not None:
                yield by, row_name(codes), row

    def _resolved(self, text: str, by: By, row: str) -> Resolved:
        told = self.told
        return Resolved(
            limit=parse_limit(text, row), by=by, row=row, scheme=told.scheme, version=told.version
        )


def rows_of(told: TableFile) -> Rows:
    """The rows of a table, in the order of resolution."""
    conditions, types = told.conditions, told.types
    found: Rows = {
        "conditionAndGrade": {
            (code, grade): terms for code, row in conditions.items() for grade, terms in row.grades.items()
        },
        "condition": {(code,): row for code, row in conditions.items()},
        "typeAndGrade": {
            (code, grade): terms for code, row in types.items() for grade, terms in row.grades.items()
        },
        "type": {(code,): row for code, row in types.items()},
        "default": {(): told.default},
    }
    return {by: found[by] for by, _ in ORDER}


def row_name(codes: tuple[str, ...]) -> str:
    """What a row is called, for a person."""
    return " ".join(codes) or "default"


def kind_of(asked: Collection[str]) -> By:
    """Which kind of row one is that asks for these: the most particular that it asks enough for."""
    return next(by for by, asks in ORDER if set(asks) <= set(asked))


def load_limits(path: Path | None = None) -> LimitTable:
    """Reads a table of limits from YAML; without a path, the one that a new city begins with.

    Raises:
        ConfigurationError: one sentence that names the file, the key and what is wrong.
    """
    path = path or Path(__file__).parent / "limits.yaml"
    return make_limits(load_yaml(path), str(path))


def make_limits(values: dict[str, Any], file: str) -> LimitTable:
    """A table from plain values, as `load_limits` reads them from `file`.

    Raises:
        ConfigurationError: a key is unknown or wrong, a limit is none, a grade or a type does not exist.
    """
    told = convert(values, TableFile, file, "")
    try:
        return _whole(told)
    except BadRequestData as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None


def _whole(told: TableFile) -> LimitTable:
    if not told.default.limit:
        raise BadRequestData("default.limit is required: how long a case may take of which no row speaks")
    _check_terms(told.default, "default")
    rows: dict[str, TypeRow | ConditionRow] = {f"types.{code}": row for code, row in told.types.items()}
    rows |= {f"conditions.{code}": row for code, row in told.conditions.items()}
    for place, row in rows.items():
        _check_terms(row, place)
        for grade, terms in row.grades.items():
            if grade not in told.grades:
                raise BadRequestData(f"{place}.grades is invalid: {grade!r} does not exist in grades")
            _check_terms(terms, f"{place}.grades.{grade}")
    for code, condition in told.conditions.items():
        if not condition.types:
            raise BadRequestData(f"conditions.{code}.types is required: at least one type")
        for kind in condition.types:
            if kind not in told.types:
                raise BadRequestData(f"conditions.{code}.types is invalid: {kind!r} does not exist in types")
    stages = {stage: parse_limit(text, f"stages.{stage}") for stage, text in told.stages.items()}
    return LimitTable(told=told, stages=stages, rows=rows_of(told))


def _told(en: str, zh: str) -> BadRequestData:
    error = BadRequestData(en)
    error.texts = {"en": en, "zh": zh}
    return error


def _check_terms(terms: Terms | TypeRow | ConditionRow, place: str) -> None:
    for name in ("limit", "promise"):
        text = getattr(terms, name)
        if text:
            parse_limit(text, f"{place}.{name}")
