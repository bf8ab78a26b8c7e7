"""A workflow as a picture and as tables, for people: what is drawn is what runs."""

from __future__ import annotations

from collections.abc import Iterator

from cityloom.cases.loop.effects import EFFECTS
from cityloom.cases.loop.guards import GUARDS
from cityloom.cases.loop.workflow import VERBS, ClockVerbs, MovePart, Workflow


def mermaid(workflow: Workflow, justified: bool) -> str:
    """States and moves as a Mermaid state diagram, moves between the same two states on one arrow.

    Args:
        justified: draws the moves that need a reason (back, refused, paused, ended); else the others.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in workflow.moves:
        if ("reason" in move.needs) != justified:
            continue
        for state in move.from_:
            arrows.setdefault((state, move.to), []).append(move.move)
            if move.instead is not None:
                arrows.setdefault((state, move.instead.to), []).append(f"{move.move} ({move.instead.when})")
    lines = ["stateDiagram-v2"]
    if not justified:
        lines.append(f"    [*] --> {workflow.initial}")
    lines += [f"    {start} --> {to}: {' / '.join(moves)}" for (start, to), moves in arrows.items()]
    ends = dict.fromkeys(to for _, to in arrows if workflow.states[to].end)
    return "\n".join([*lines, *(f"    {end} --> [*]" for end in ends)]) + "\n"


def tables(workflow: Workflow, language: str = "en") -> str:
    """The steps with their states, every move, and what guards and effects mean, as Markdown tables."""
    lines = ["| step | states |", "|---|---|"]
    for step, title in workflow.steps.items():
        states = [
            f"`{name}` {state.title.get(language, '')}".strip()
            for name, state in workflow.states.items()
            if state.step == step
        ]
        lines.append(f"| {title.get(language, step)} | {', '.join(states)} |")
    lines += ["", "| move | from | to | who | needs | only if | clocks |", "|---|---|---|---|---|---|---|"]
    lines += [_row(move, workflow) for move in workflow.moves]
    lines += ["", "| guard | what is told when it does not hold |", "|---|---|"]
    lines += [f"| `{name}` | {guard.refusal['en']} |" for name, guard in GUARDS.items()]
    lines += ["", "| effect | what it does | needs |", "|---|---|---|"]
    lines += [f"| `{name}` | {effect.says} | {effect.needs} |" for name, effect in EFFECTS.items()]
    return "\n".join(lines) + "\n"


def _row(move: MovePart, workflow: Workflow) -> str:
    to, clocks = f"`{move.to}`", _clocks(move.clocks)
    if move.instead is not None:
        to += f"; if {move.instead.when} `{move.instead.to}`"
        clocks += f" (if {move.instead.when}: {_clocks(move.instead.clocks)})"
    who = ", ".join(f"{role} (holder)" if workflow.roles[role].holder else role for role in move.roles)
    cells = [
        f"`{move.move}`",
        ", ".join(f"`{state}`" for state in move.from_),
        to,
        who,
        ", ".join(move.needs),
        ", ".join(move.guards),
        clocks.strip(),
    ]
    return f"| {' | '.join(cells)} |"


def _clocks(verbs: ClockVerbs) -> str:
    return "; ".join(_said(verbs))


def _said(verbs: ClockVerbs) -> Iterator[str]:
    for verb in VERBS:
        if verbs.of(verb):
            yield f"{verb} {', '.join(verbs.of(verb))}"
