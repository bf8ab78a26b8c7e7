"""Whether a workflow is sound: every state can be reached and left, reasons are asked for, clocks fit.

It walks through everything that can happen. Guards are taken to hold or not, except
whether a case is a part of a split one, which never changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from cityloom.cases.loop.workflow import ALL, VERBS, ClockVerbs, MovePart, Verb, Workflow
from cityloom.model.errors import ConfigurationError

Clocks = frozenset[tuple[str, str]]
"""Of each clock that was ever started: its name and whether it is running, paused or stopped."""


def check_ways(workflow: Workflow) -> None:
    """Raises ConfigurationError: a state cannot be reached, cannot be left, or leads to no end."""
    ways: dict[str, set[str]] = {state: set() for state in workflow.states}
    for move in workflow.moves:
        for origin in move.from_:
            ways[origin].update(to for to, _ in move.ways())
    for name, state in workflow.states.items():
        if state.end and ways[name]:
            raise ConfigurationError(f"states.{name} is invalid: a case ends there, and moves leave it")
        if not state.end and not ways[name]:
            raise ConfigurationError(f"states.{name} is invalid: it is a dead end, no move leaves it")
    reached = _closure({workflow.initial, workflow.parts.state}, ways)
    back: dict[str, set[str]] = {state: set() for state in workflow.states}
    for origin, following in ways.items():
        for to in following:
            back[to].add(origin)
    ends = _closure({name for name, state in workflow.states.items() if state.end}, back)
    for name in workflow.states:
        if name not in reached:
            raise ConfigurationError(f"states.{name} is invalid: no way leads there from {workflow.initial}")
        if name not in ends:
            raise ConfigurationError(f"states.{name} is invalid: no way leads from there to an end")


def check_reasons(workflow: Workflow) -> None:
    """Raises ConfigurationError: a move that someone must justify asks for no reason.

    A reason is due when a case goes back to an earlier step, ends undone, is decided on at
    someone's request, or when its clock is paused.
    """
    order = list(workflow.steps)

    def step(state: str) -> int:
        return order.index(workflow.states[state].step)

    for number, move in enumerate(workflow.moves):
        if "reason" in move.needs:
            continue
        for state in move.from_:
            for to, clocks in move.ways():
                why = ""
                if step(to) < step(state):
                    why = f"it goes back from {state} to {to}"
                elif workflow.states[to].end == "undone":
                    why = f"it ends a case undone ({to})"
                elif workflow.states[state].request and to != state:
                    why = f"it decides on a request ({state})"
                elif clocks.pause:
                    why = f"it pauses {', '.join(clocks.pause)}"
                if why:
                    raise ConfigurationError(
                        f"moves[{number}] ({move.move}).needs is invalid: reason is required, since {why}"
                    )


def check_clocks(workflow: Workflow) -> None:
    """Raises ConfigurationError: a clock is moved as it cannot be, or still runs where a case has ended."""
    useful: set[tuple[int, str, str]] = set()
    queue: deque[tuple[str, Clocks, bool]] = deque([(workflow.initial, frozenset(), False)])
    for clocks, _ in _after(workflow, workflow.parts.clocks, frozenset(), "parts.clocks"):
        queue.append((workflow.parts.state, clocks, True))
    seen = set(queue)
    while queue:
        state, clocks, is_part = queue.popleft()
        if workflow.states[state].end:
            still = sorted(clock for clock, how in clocks if how != "stopped")
            if still:
                raise ConfigurationError(
                    f"states.{state} is invalid: clock {still[0]} is still open when a case ends"
                )
            continue
        for number, move in enumerate(workflow.moves):
            if state not in move.from_ or not _open_to(move, is_part):
                continue
            for to, verbs in _ways(move, is_part):
                place = f"moves[{number}] ({move.move}) from {state}"
                for after, stopped in _after(workflow, verbs, clocks, place):
                    useful.update((number, to, clock) for clock in stopped)
                    following = (to, after, is_part)
                    if following not in seen:
                        seen.add(following)
                        queue.append(following)
    for number, move in enumerate(workflow.moves):
        for to, verbs in move.ways():
            for clock in verbs.stop:
                if clock != ALL and (number, to, clock) not in useful:
                    raise ConfigurationError(
                        f"moves[{number}] ({move.move}).clocks.stop is invalid: {clock} is never open there"
                    )


def _open_to(move: MovePart, is_part: bool) -> bool:
    return ("notPart" if is_part else "isPart") not in move.guards


def _ways(move: MovePart, is_part: bool) -> list[tuple[str, ClockVerbs]]:
    """Where the move can lead for a part, or for a case that is none."""
    if move.instead is None or move.instead.when not in ("isPart", "notPart"):
        return move.ways()
    holds = is_part == (move.instead.when == "isPart")
    return [move.ways()[1 if holds else 0]]


def _after(
    workflow: Workflow, verbs: ClockVerbs, clocks: Clocks, place: str
) -> Iterator[tuple[Clocks, set[str]]]:
    """The clocks after the verbs, and which were stopped; twice where a promise may be missing."""
    states, stopped = dict(clocks), set[str]()
    promises = {name for name, part in workflow.clocks.items() if part.limit == "promise"}
    for verb in VERBS:
        for clock in verbs.of(verb):
            for each in sorted(states) if clock == ALL else [clock]:
                if each in promises and each not in states and verb != "start":
                    continue  # the case has no promise
                was = states.get(each, "")
                if verb == "stop":
                    if was in ("running", "paused"):
                        states[each] = "stopped"
                        stopped.add(each)
                    continue
                _refuse_unfit(verb, each, was, place)
                states[each] = {"pause": "paused", "extend": was}.get(verb, "running")
    yield frozenset(states.items()), stopped
    without = {clock: how for clock, how in states.items() if clock not in promises or clock in dict(clocks)}
    if without != states:
        yield frozenset(without.items()), stopped


def _refuse_unfit(verb: Verb, clock: str, was: str, place: str) -> None:
    fit = {
        "pause": ("running",),
        "resume": ("paused", "stopped"),
        "extend": ("running", "paused"),
        "start": ("", "stopped"),
    }.get(verb)
    if fit is not None and was not in fit:
        raise ConfigurationError(
            f"{place}: clocks.{verb} is invalid: {clock} can be {was or 'not started'} by then, "
            f"not {' or '.join(one or 'not started' for one in fit)}"
        )


def _closure(start: set[str], ways: dict[str, set[str]]) -> set[str]:
    found, queue = set(start), list(start)
    while queue:
        for to in ways.get(queue.pop(), ()):
            if to not in found:
                found.add(to)
                queue.append(to)
    return found
