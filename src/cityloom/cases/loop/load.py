"""Reading a workflow: every name in it must exist, and the whole must be sound."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cityloom.cases.loop.effects import EFFECTS
from cityloom.cases.loop.guards import GUARDS
from cityloom.cases.loop.soundness import check_clocks, check_reasons, check_ways
from cityloom.cases.loop.workflow import ALL, INPUTS, VERBS, ClockVerbs, Workflow
from cityloom.model.errors import ConfigurationError
from cityloom.yamlfile import convert, load_yaml


def load_workflow(path: Path | None = None) -> Workflow:
    """Reads a workflow from YAML; without a path, the one that comes with the package.

    Raises:
        ConfigurationError: one sentence that names the file, the place and what is wrong.
    """
    path = path or Path(__file__).parent / "workflow.yaml"
    return make_workflow(load_yaml(path), str(path))


def make_workflow(values: dict[str, Any], file: str) -> Workflow:
    """A workflow from plain values, as `load_workflow` reads them from `file`.

    Raises:
        ConfigurationError: something is named that does not exist, a state cannot be reached or
            left, a reason is missing, or a clock is moved as it cannot be.
    """
    workflow = convert(values, Workflow, file, "")
    try:
        _check_names(workflow)
        check_ways(workflow)
        check_reasons(workflow)
        check_clocks(workflow)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None
    return workflow


def _check_names(workflow: Workflow) -> None:
    """Raises ConfigurationError: something is named that does not exist, or stands twice."""
    states = workflow.states
    _known([workflow.initial], states, "initial", "states")
    _known([workflow.parts.state], states, "parts.state", "states")
    _check_verbs(workflow.parts.clocks, workflow, "parts.clocks", ["department"])
    for name, state in states.items():
        _known([state.step], workflow.steps, f"states.{name}.step", "steps")
        if state.waits_for:
            _known([state.waits_for], workflow.roles, f"states.{name}.waitsFor", "roles")
    seen: set[tuple[str, str]] = set()
    used: set[str] = set()
    for number, move in enumerate(workflow.moves):
        place = f"moves[{number}] ({move.move})"
        if not move.from_ or not move.roles:
            raise ConfigurationError(f"{place}.{'roles' if move.from_ else 'from'} is required: at least one")
        _known(move.from_, states, f"{place}.from", "states")
        _known([move.to], states, f"{place}.to", "states")
        _known(move.roles, workflow.roles, f"{place}.roles", "roles")
        _known(move.needs, INPUTS, f"{place}.needs", "what an act can bring")
        _known(move.takes, INPUTS, f"{place}.takes", "what an act can bring")
        _known(move.guards, GUARDS, f"{place}.guards", "the guards")
        _known(move.effects, EFFECTS, f"{place}.effects", "the effects")
        for effect in move.effects:
            needed = EFFECTS[effect].needs
            if needed and needed not in move.needs:
                raise ConfigurationError(f"{place}.needs is invalid: {needed} is required by effect {effect}")
        _check_verbs(move.clocks, workflow, f"{place}.clocks", move.needs)
        if move.instead is not None:
            _known([move.instead.when], GUARDS, f"{place}.instead.when", "the guards")
            _known([move.instead.to], states, f"{place}.instead.to", "states")
            _check_verbs(move.instead.clocks, workflow, f"{place}.instead.clocks", move.needs)
        for origin in move.from_:
            if (move.move, origin) in seen:
                raise ConfigurationError(f"{place} is invalid: {move.move} from {origin} already exists")
            seen.add((move.move, origin))
        used.update(move.roles)
    for role in workflow.roles:
        if role not in used:
            raise ConfigurationError(f"roles.{role} is invalid: no move is open to it")


def _check_verbs(verbs: ClockVerbs, workflow: Workflow, place: str, needs: list[str]) -> None:
    for verb in VERBS:
        clocks = verbs.of(verb)
        also = (ALL,) if verb == "stop" else ()
        _known(clocks, (*workflow.clocks, *also), f"{place}.{verb}", "clocks")
    for verb, needed in (("dispatch", "department"), ("extend", "extension")):
        if verbs.of(verb) and needed not in needs:
            raise ConfigurationError(f"{place}.{verb} is invalid: the move does not need {needed}")


def _known(names: list[str], known: Iterable[str], place: str, where: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigurationError(f"{place} is invalid: {name!r} does not exist in {where}")
