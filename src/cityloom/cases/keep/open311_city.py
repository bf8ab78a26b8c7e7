"""What a city says of its Open311 endpoint: `open311` in `cases.yaml`, and the questions that it asks.

Source: GeoReport v2 (wiki.open311.org): jurisdiction_id, GET Service Definition; Service Discovery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from cityloom.cases.clocks.limits import LimitTable
from cityloom.model.errors import BadRequestData

CONDITION: Final = "condition"
"""The attribute that asks for the filing condition, of every type that has some."""
Datatype = Literal["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]


class GroupPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of services: its name by language, and the types in it."""

    title: dict[str, str] = {}
    types: list[str] = []


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attribute that a city asks for with some types; `values` are those of a list, names by language."""

    title: dict[str, str] = {}
    hint: dict[str, str] = {}
    types: list[str]
    datatype: Datatype = "string"
    required: bool = False
    values: dict[str, dict[str, str]] = {}


class Open311Part(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The endpoint of a city.

    `jurisdiction` is its jurisdiction_id ("": the name of its profile); `contact` and `key_service` tell a
    person where to ask and how to get a key. With `tokens` a report is answered with a token. `test` says
    that nobody acts on what is reported. `changeset` is "" where the version of the limits says enough.
    """

    jurisdiction: str = ""
    contact: str = ""
    key_service: str = ""
    changeset: str = ""
    test: bool = False
    tokens: bool = False
    groups: dict[str, GroupPart] = {}
    attributes: dict[str, Question] = {}

    def group_of(self, kind: str) -> GroupPart | None:
        """The group of a type."""
        return next((group for group in self.groups.values() if kind in group.types), None)

    def questions_of(self, kind: str) -> dict[str, Question]:
        """The attributes that the city asks for with a type."""
        return {code: one for code, one in self.attributes.items() if kind in one.types}


def check_part(part: Open311Part, limits: LimitTable) -> None:
    """Raises BadRequestData: a type does not exist, is in two groups, or a list has no values."""
    known, grouped = limits.told.types, set[str]()
    for code, group in part.groups.items():
        for kind in group.types:
            if kind not in known:
                raise BadRequestData(f"open311.groups.{code} is invalid: {kind!r} does not exist")
            if kind in grouped:
                raise BadRequestData(f"open311.groups.{code} is invalid: {kind!r} is in two groups")
            grouped.add(kind)
    for code, question in part.attributes.items():
        place = f"open311.attributes.{code}"
        if code == CONDITION or not code.replace("-", "").replace("_", "").isalnum():
            raise BadRequestData(f"{place} is invalid: letters, digits, - and _, and not {CONDITION}")
        for kind in question.types:
            if kind not in known:
                raise BadRequestData(f"{place}.types is invalid: {kind!r} does not exist")
        if question.datatype.endswith("list") != bool(question.values):
            raise BadRequestData(f"{place}.values is invalid: a list has values, anything else has none")


def check_answers(
    part: Open311Part, limits: LimitTable, kind: str, answers: Mapping[str, Sequence[str]]
) -> None:
    """Raises BadRequestData: the type does not ask for an attribute, or the answer is none of its values."""
    questions = part.questions_of(kind)
    for code, values in answers.items():
        place = f"attribute[{code[:100]}]"
        if code == CONDITION:
            allowed, several = limits.conditions_of(kind), False
        elif code in questions:
            question = questions[code]
            allowed, several = list(question.values), question.datatype == "multivaluelist"
        else:
            raise BadRequestData(f"{place} is invalid: it is not asked for with {kind or 'this service'!r}")
        if len(values) != 1 and not several:
            raise BadRequestData(f"{place} is invalid: one value is required")
        for value in values:
            if (allowed or code == CONDITION) and value not in allowed:
                raise BadRequestData(f"{place} is invalid: {value[:100]!r} is none of {', '.join(allowed)}")
            if code in questions and questions[code].datatype == "number" and not _is_number(value):
                raise BadRequestData(f"{place} is invalid: {value[:100]!r} is no number")


def _is_number(text: str) -> bool:
    try:
        return float(text) not in (float("inf"), float("-inf")) and float(text) == float(text)
    except ValueError:
        return False
