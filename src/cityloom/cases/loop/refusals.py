"""What is said of an act that is not possible: in each language of the page, with titles beside codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from cityloom.cases.loop.workflow import Workflow
from cityloom.model.errors import CityloomError

E = TypeVar("E", bound=CityloomError)
_SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "noMove": {
        "en": "move is invalid: {move} does not exist in {workflow}; from {state} there are {known}",
        "zh": "流程 {workflow} 中没有 {move} 这一操作；从{state}起可办理：{known}",
    },
    "notFrom": {
        "en": "case {case} is {state}: {move} is not possible there, but {known}",
        "zh": "案件 {case} 处于{state}：不能办理{move}，可办理：{known}",
    },
    "notRole": {
        "en": "role is invalid: {role} may not make the move {move}; {known} may",
        "zh": "{role}不能办理{move}；可办理的身份：{known}",
    },
    "noRole": {
        "en": "role is invalid: {role} does not exist in {workflow}; there are {known}",
        "zh": "流程 {workflow} 中没有身份 {role}；可选身份：{known}",
    },
    "whichRole": {
        "en": "role is required: {move} can be made by {known}",
        "zh": "请选择身份：可办理{move}的有{known}",
    },
    "guard": {
        "en": "case {case} does not allow {move}: {why}",
        "zh": "案件 {case} 不能办理{move}：{why}",
    },
    "notTaken": {
        "en": "{field} is invalid: {move} does not take it",
        "zh": "办理{move}时不填{field}",
    },
    "movedOn": {
        "en": "case {case} has moved on: its move {number} was {move} at {at}, "
        "and move {seen} was the last that was seen; look again",
        "zh": "案件 {case} 已有新进展：第 {number} 步于 {at} 办理了{move}，而所见为第 {seen} 步；请重新查看",
    },
    "movedOnBy": {
        "en": "case {case} has moved on: its move {number} was {move} by {actor} as {role} at {at}, "
        "and move {seen} was the last that was seen; look again",
        "zh": "案件 {case} 已有新进展：第 {number} 步由{role} {actor} 于 {at} 办理了{move}，"
        "而所见为第 {seen} 步；请重新查看",
    },
    "needs": {
        "en": "{first} is required: {move} needs {needs}{also}",
        "zh": "办理{move}需要填写{needs}{also}",
    },
    "noDepartment": {
        "en": "{first} is invalid: {department} does not exist; there are {known}",
        "zh": "没有部门 {department}；现有：{known}",
    },
    "itself": {
        "en": "into is invalid: {case} is the case itself",
        "zh": "案件 {case} 不能合并到它自己，请填写另一案件",
    },
    "outside": {
        "en": "location is invalid: {place} (lon, lat) is outside the city; choose another place",
        "zh": "这个位置（{place}）不在本市范围内，请重新选择",
    },
    "nothingTold": {
        "en": "type or description is required: what is to be done",
        "zh": "请选择类型或填写说明：需要办理什么",
    },
}
"""In English the members of the API stand in them by their names: `move is invalid`."""
_FIELDS: Final = {
    "reason": "理由",
    "evidence": "证据",
    "finding": "核实情况",
    "type": "类型",
    "condition": "立案条件",
    "grade": "区域等级",
    "department": "部门",
    "departments": "多个部门",
    "worker": "处置人员",
    "into": "并入的案件",
    "part": "子案件",
    "extension": "延长时间",
    "promise": "承诺时限",
    "closingCondition": "结案条件",
}
"""What a member that a move needs or takes is called in Chinese (`workflow.INPUTS`)."""
_COMMA: Final = {"en": ", ", "zh": "、"}
_NONE: Final = {"en": "none", "zh": "无"}
_BRACKETS: Final = {"en": "{title} ({code})", "zh": "{title}（{code}）"}


class Titled(NamedTuple):
    """A code with its title by language."""

    code: str
    title: Mapping[str, str] = {}


Part = str | Titled | Sequence[Titled] | Mapping[str, str]


def refused(kind: type[E], sentence: str, extra: Mapping[str, object] | None = None, **parts: Part) -> E:
    """An error whose sentence is told in English, and in the language of who asks for another.

    Args:
        sentence: one of those above.
        extra: members to add to the problem document.
        parts: what stands in it: a text, a text by language, a code with its title, or a list of such.
    """
    texts = {
        language: text.format(**{name: _told(part, language) for name, part in parts.items()})
        for language, text in _SENTENCES[sentence].items()
    }
    error = kind(texts["en"], **(extra or {}))
    error.texts = texts
    return error


def fields_of(names: Sequence[str]) -> Mapping[str, str]:
    """Members of the API by language: by their names in English, by a title in Chinese."""
    titled = (f"{_FIELDS[one]}（{one}）" for one in names)
    return {"en": _COMMA["en"].join(names), "zh": _COMMA["zh"].join(titled)}


def state_of(workflow: Workflow, state: str) -> Titled:
    """A state with its title."""
    return Titled(state, workflow.states[state].title)


def role_of(workflow: Workflow, role: str) -> Titled:
    """A role with its title; one that does not exist has none."""
    known = workflow.roles.get(role)
    return Titled(role, {} if known is None else known.title)


def move_of(workflow: Workflow, move: str) -> Titled:
    """A move with its title; one that does not exist has none."""
    return Titled(move, next((one.title for one in workflow.moves if one.move == move), {}))


def moves_of(workflow: Workflow, state: str) -> list[Titled]:
    """The moves that leave a state, with their titles."""
    return [Titled(one.move, one.title) for one in workflow.moves_from(state)]


def _told(part: Part, language: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Titled):
        title = part.title.get(language) or next(iter(part.title.values()), "")
        return _BRACKETS[language].format(title=title, code=part.code) if title else repr(part.code)
    if isinstance(part, Mapping):
        return part[language]
    return _COMMA[language].join(_told(one, language) for one in part) or _NONE[language]
