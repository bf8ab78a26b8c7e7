"""A node killed at random moments while two people act on its cases: no transition is lost or doubled."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from cases.tiny import tiny_city
from cityloom.cases.keep.city import load_rules
from cityloom.cases.keep.kept import CASE, TRANSITION, kept_of
from cityloom.cases.loop.case import Transition
from cityloom.cases.loop.machine import Machine
from cityloom.model.clock import SystemClock
from cityloom.query.values import Query, TypeIs
from cityloom.store.sqlite import SqliteStore
from tests.nodes import NodeProcess

GIVEN: dict[str, Any] = {
    "reason": "because",
    "finding": "so it is",
    "evidence": ["urn:photo:1"],
    "type": "street-light",
    "condition": "light-out",
    "department": "lighting",
    "worker": "w-7",
    "extension": "1wd",
    "closingCondition": "lit",
}
SKIPPED = ("split", "merge", "completePart", "reject", "void", "evaluate")
"""Moves that end a case early, or need others."""


class Actor:
    """Someone who makes moves that cases allow, again and again, and remembers what was answered."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.chance = random.Random(seed)
        self.answered: dict[str, int] = {}
        self.unheard: tuple[str, dict[str, Any]] | None = None
        self.lost = 0
        self.tried = 0

    async def act(self, url: str) -> None:
        """Until the node goes away."""
        async with aiohttp.ClientSession(url) as session:
            try:
                if self.unheard is not None:
                    # The answer was not heard: the very same request once more must be harmless.
                    await self._send(session, *self.unheard)
                while True:
                    await self._once(session)
            except (aiohttp.ClientError, ConnectionError):
                return

    async def _once(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/cases?limit=3") as reply:
            rows = (await reply.json())["cases"]
        if not rows:
            async with session.post("/cases", json={"type": "street-light"}) as reply:
                assert reply.status == 201, await reply.text()
            return
        case = self.chance.choice(rows)["id"]
        async with session.get(f"/cases/{case}") as reply:
            whole = await reply.json()
        moves = [move for move in whole["moves"] if move["move"] not in SKIPPED]
        if not moves:
            return
        move = self.chance.choice(moves)
        self.tried += 1
        body = {
            "move": move["move"],
            "seen": whole["seen"],
            "role": move["role"],
            "actingFor": move.get("actingFor", ""),
            "actor": self.name,
            "requestId": f"{self.name}-{self.tried}",
            **{name: GIVEN[name] for name in move["needs"]},
        }
        await self._send(session, case, body)

    async def _send(self, session: aiohttp.ClientSession, case: str, body: dict[str, Any]) -> None:
        self.unheard = case, body
        async with session.post(f"/cases/{case}/moves", json=body) as reply:
            answer = await reply.json()
        self.unheard = None
        if reply.status == 200:
            made = [one for one in answer["transitions"] if one["number"] == body["seen"] + 1]
            assert [(one["move"], one["actor"]) for one in made] == [(body["move"], self.name)]
            assert made[0]["id"] not in self.answered
            self.answered[made[0]["id"]] = body["seen"] + 1
        else:
            assert reply.status == 409, answer
            self.lost += 1


async def rounds(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """How many moves were answered, and how many lost against the other."""
    city, file = tiny_city(folder)
    chance = random.Random(seed)
    actors = [Actor("anna", seed + 1), Actor("bo", seed + 2)]
    node = NodeProcess(city)
    node.start()
    for _ in range(count):
        tasks = [asyncio.create_task(actor.act(node.url)) for actor in actors]
        await asyncio.sleep(chance.uniform(0.2, 1.2))
        node.kill()
        await asyncio.gather(*tasks)
        node.start()
    assert node.stop() == 0
    check(city, file, actors)
    return sum(len(actor.answered) for actor in actors), sum(actor.lost for actor in actors)


def check(city: Path, file: Path, actors: list[Actor]) -> None:
    """Every answered move is there once; the acts of each case make it again; the log tells each once."""
    rules = load_rules(file)
    machine = Machine(rules.workflow, rules.limits)
    store = SqliteStore(city / "cityloom.sqlite", SystemClock())
    try:
        with store.snapshot() as snapshot:
            kept = [
                msgspec.convert(one.body, Transition)
                for one in snapshot.documents("", TRANSITION, limit=100_000)
            ]
            cases = [kept_of(entity).case for entity in snapshot.scan("", Query(types=TypeIs(CASE)))]
            causes = [
                event.cause.id
                for event in snapshot.events(0, 1_000_000)
                if event.kind == "documentPut" and event.document_kind == TRANSITION
            ]
    finally:
        store.close()
    ids = [one.id for one in kept]
    assert sorted(causes) == sorted(ids)
    for actor in actors:
        assert set(actor.answered) <= set(ids)
    unheard = sum(actor.unheard is not None for actor in actors)
    made = [one for one in kept if one.act.actor in ("anna", "bo")]
    assert 0 <= len(made) - sum(len(actor.answered) for actor in actors) <= unheard
    for case in cases:
        again = machine.begin(case.id)
        for one in sorted((one for one in kept if one.case == case.id), key=lambda one: one.number):
            moved = machine.apply(again, one.act, rules.calendar)
            assert moved.transition == one
            again = moved.case
        assert again == case


async def test_kills_lose_and_double_no_transition(tmp_path: Path) -> None:
    answered, _ = await rounds(tmp_path, 2, seed=20261130)
    assert answered > 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_forty_kills_lose_and_double_no_transition(tmp_path: Path) -> None:
    answered, lost = await rounds(tmp_path, 40, seed=11)
    print(f"{answered} moves answered, {lost} lost against the other")
    assert answered > 40
