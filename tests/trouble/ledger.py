"""Clients that know what they were told: each writes things of its own, and looks afterwards what is kept.

A write that was answered 2xx is there, one that was refused is not, and one whose answer
never came is there whole or not at all.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any, Literal

import aiohttp
from aiohttp import web

API = "/ngsi-ld/v1"
TYPE = "Counter"
Outcome = Literal["yes", "no", "unknown"]
_EPOCH = 1_700_000_000


class Told:
    """A receiver of notifications: (path, entity, level) by the key that repeats are known by."""

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, str, int]] = {}
        self.said: set[tuple[str, str, int]] = set()
        self.repeats = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        (entity,) = body["data"]
        key = request.headers["Idempotency-Key"]
        said = (request.path, entity["id"], entity["level"])
        if key in self.by_key:
            assert self.by_key[key] == said, "a repeat must say what it said before"
            self.repeats += 1
        else:
            assert said not in self.said, "a change has one notification, with one key"
        self.by_key[key] = said
        self.said.add(said)
        return web.Response()


class Writer:
    """One client.

    Args:
        receiver: where it lets itself be told of its own entity.
        counts: what was done and looked at, by kind.
    """

    def __init__(self, number: int, receiver: str, told: Told, counts: Counter[str]) -> None:
        self._number = number
        self._receiver = receiver
        self._told = told
        self._counts = counts
        self._level = 0
        self._counter = f"urn:ngsi-ld:{TYPE}:{number}"
        self._batch = [f"urn:ngsi-ld:{TYPE}:{number}:{each}" for each in range(3)]
        self._series = f"urn:ngsi-ld:Series:{number}"
        self._levels: dict[str, set[int | None]] = {id: {None} for id in (self._counter, *self._batch)}
        self._readings: set[int] = set()
        self._perhaps: set[int] = set()
        self._subscription = 0
        self._subscribed: set[bool] = {False}
        self._owed: set[tuple[str, str, int]] = set()

    async def write(self, url: str, chance: random.Random, enough: asyncio.Event) -> None:
        """Writes one thing after the other until it is enough, or an answer does not come."""
        async with aiohttp.ClientSession(url) as session:
            while not enough.is_set():
                self._level += 1
                draw = chance.random()
                if draw < 0.1:
                    outcome = await self._upsert(session)
                elif draw < 0.2:
                    outcome = await self._append(session)
                elif draw < 0.26:
                    outcome = await self._subscribe(session)
                else:
                    outcome = await self._change(session, deletes=draw > 0.93)
                if outcome == "unknown":
                    return

    async def _ask(
        self, session: aiohttp.ClientSession, kind: str, method: str, path: str, body: Any = None
    ) -> Outcome:
        try:
            async with session.request(method, API + path, json=body) as reply:
                said = await reply.text()
        except (aiohttp.ClientError, ConnectionError):
            outcome: Outcome = "unknown"
        else:
            if reply.status in (200, 201, 204):
                outcome = "yes"
            else:
                # A database that goes away in the middle of a commit leaves open whether it was one.
                assert reply.status == 503, f"{kind}: {reply.status} {said}"
                outcome = "unknown"
        self._counts[f"{kind} {'acknowledged' if outcome == 'yes' else 'unanswered'}"] += 1
        return outcome

    async def _change(self, session: aiohttp.ClientSession, *, deletes: bool) -> Outcome:
        """Creates, changes or deletes its entity."""
        (level,) = self._levels[self._counter]
        path = f"/entities/{self._counter}"
        attribute = {"level": {"type": "Property", "value": self._level}}
        after: int | None = self._level
        if level is None:
            entity = {"id": self._counter, "type": TYPE, **attribute}
            outcome = await self._ask(session, "create", "POST", "/entities", entity)
        elif deletes:
            after = None
            outcome = await self._ask(session, "delete", "DELETE", path)
        else:
            outcome = await self._ask(session, "patch", "PATCH", f"{path}/attrs", attribute)
        self._note(self._counter, after, outcome)
        if outcome == "yes" and after is not None and self._subscribed == {True}:
            self._owed.add((self._path, self._counter, after))
        return outcome

    async def _upsert(self, session: aiohttp.ClientSession) -> Outcome:
        level = {"type": "Property", "value": self._level}
        entities = [{"id": id, "type": TYPE, "level": level} for id in self._batch]
        outcome = await self._ask(session, "batch", "POST", "/entityOperations/upsert", entities)
        for id in self._batch:
            self._note(id, self._level, outcome)
        return outcome

    async def _append(self, session: aiohttp.ClientSession) -> Outcome:
        stamp = _EPOCH + self._level
        at = f"{_stamp(stamp)}Z"
        reading = [{"type": "Property", "value": self._level, "observedAt": at}]
        body = {"id": self._series, "type": "Series", "reading": reading}
        outcome = await self._ask(session, "temporal", "POST", "/temporal/entities", body)
        (self._readings if outcome == "yes" else self._perhaps).add(self._level)
        return outcome

    @property
    def _path(self) -> str:
        return f"/own/{self._number}/{self._subscription}"

    @property
    def _subscription_id(self) -> str:
        return f"urn:ngsi-ld:Subscription:{self._number}:{self._subscription}"

    async def _subscribe(self, session: aiohttp.ClientSession) -> Outcome:
        """Subscribes to its entity, or ends that."""
        (there,) = self._subscribed
        if there:
            # What is deleted owes nothing more; what it owed may come or not.
            self._owed -= {owed for owed in self._owed if owed[0] == self._path}
            outcome = await self._ask(
                session, "unsubscribe", "DELETE", f"/subscriptions/{self._subscription_id}"
            )
        else:
            self._subscription += 1
            body = {
                "id": self._subscription_id,
                "type": "Subscription",
                "entities": [{"type": TYPE, "id": self._counter}],
                "notification": {
                    "endpoint": {"uri": self._receiver + self._path},
                    "format": "simplified",
                },
            }
            outcome = await self._ask(session, "subscribe", "POST", "/subscriptions", body)
        self._subscribed = {not there} if outcome == "yes" else {there, not there}
        return outcome

    def _note(self, id: str, level: int | None, outcome: Outcome) -> None:
        self._levels[id] = {level} if outcome == "yes" else self._levels[id] | {level}

    # -- afterwards ------------------------------------------------------------------

    async def look(self, url: str) -> None:
        """Looks whether everything is kept that was acknowledged, and nothing that was not."""
        async with aiohttp.ClientSession(url) as session:
            for id, levels in self._levels.items():
                kept = await self._get(session, f"/entities/{id}?options=keyValues")
                level = None if kept is None else kept["level"]
                assert level in levels, f"{id}: one of {levels} was acknowledged, {level} is kept"
                self._levels[id] = {level}
                self._counts["entities looked at"] += 1
            await self._look_at_series(session)
            there = await self._get(session, f"/subscriptions/{self._subscription_id}") is not None
            assert there in self._subscribed, f"{self._subscription_id}: {self._subscribed}, {there} is kept"
            self._subscribed = {there}
            self._counts["subscriptions looked at"] += 1

    async def _look_at_series(self, session: aiohttp.ClientSession) -> None:
        path = f"/temporal/entities/{self._series}?attrs=reading&options=temporalValues&lastN=10000"
        found = await self._get(session, path)
        values = [] if found is None else [value for value, _ in found["reading"]["values"]]
        kept = set(values)
        assert len(values) == len(kept), f"{self._series}: an instance is doubled"
        assert self._readings <= kept, f"{self._series}: {self._readings - kept} were acknowledged"
        assert kept <= self._readings | self._perhaps
        self._readings, self._perhaps = kept, set()
        self._counts["instances looked at"] += len(values)

    async def _get(self, session: aiohttp.ClientSession, path: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                async with session.get(API + path) as reply:
                    if reply.status == 200:
                        return await reply.json()
                    if reply.status == 404:
                        return None
                    # A server of which one process was killed takes a moment to end the others.
                    assert reply.status == 503, await reply.text()
                await asyncio.sleep(0.05)

    def missing(self) -> set[tuple[str, str, int]]:
        """The notifications that it was owed and has not had."""
        return self._owed - self._told.said

    @property
    def owed(self) -> int:
        """How many it is owed by the subscription that is there, or was never ended."""
        return len(self._owed)


def _stamp(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
