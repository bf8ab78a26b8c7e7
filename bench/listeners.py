"""A thousand open pages on one node: is each change sent once to each, how late, and at what cost?

Usage: python bench/listeners.py [--listeners 1000] [--changes 200] [--rate 20]

Starts a node of its own on loopback with an empty city, opens the streams as browsers do, patches one
entity at a fixed rate, cuts a tenth of the streams in the middle and lets them resume by Last-Event-ID.
Prints how many changes every stream got (each must come once, in order), the time from the patch's
sending to the change's arrival, and the processor time of the node for one change to one listener.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

ENTITY = "urn:ngsi-ld:Bench:1"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Stream:
    """One open page: the changes that it saw, and when."""

    def __init__(self, session: aiohttp.ClientSession, url: str, first: int) -> None:
        self.session = session
        self.url = url
        self.last = first
        self.seen: list[tuple[int, float]] = []
        self.cut = asyncio.Event()

    async def follow(self, wanted: int, opened: asyncio.Semaphore) -> None:
        """Reads until `wanted` changes came; after a cut it goes on where it was."""
        while len(self.seen) < wanted:
            async with self.session.get(
                self.url, headers={"Last-Event-ID": str(self.last)}, timeout=aiohttp.ClientTimeout(total=None)
            ) as answer:
                answer.raise_for_status()
                opened.release()
                async for line in answer.content:
                    if line.startswith(b"id: "):
                        self.last = int(line[4:])
                        self.seen.append((self.last, time.perf_counter()))
                    if len(self.seen) >= wanted:
                        return
                    if self.cut.is_set():
                        self.cut.clear()
                        break


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


async def measure(url: str, pid: int, listeners: int, changes: int, rate: float) -> None:
    """Opens the streams, sends the patches, prints the table."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        entity = {"id": ENTITY, "type": "Bench", "level": {"type": "Property", "value": -1}}
        async with session.post(f"{url}/ngsi-ld/v1/entities", json=entity) as answer:
            answer.raise_for_status()
        async with session.get(f"{url}/city") as answer:
            first = (await answer.json())["seq"]
        opened = asyncio.Semaphore(0)
        streams = [Stream(session, f"{url}/events", first) for _ in range(listeners)]
        tasks = [asyncio.create_task(stream.follow(changes, opened)) for stream in streams]
        started = time.perf_counter()
        for _ in streams:
            await opened.acquire()
        print(f"{listeners} streams open after {time.perf_counter() - started:.2f} s")

        before, sent = processor_seconds(pid), []
        for number in range(changes):
            if number == changes // 2:
                for stream in streams[::10]:
                    stream.cut.set()
            sent.append(time.perf_counter())
            fragment = {"level": {"type": "Property", "value": number}}
            async with session.patch(f"{url}/ngsi-ld/v1/entities/{ENTITY}/attrs", json=fragment) as answer:
                answer.raise_for_status()
            await asyncio.sleep(max(0.0, sent[0] + (number + 1) / rate - time.perf_counter()))
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        spent = processor_seconds(pid) - before

    seqs = [[seq for seq, _ in stream.seen] for stream in streams]
    wanted = list(range(first + 1, first + changes + 1))
    exact = sum(each == wanted for each in seqs)
    late = sorted(
        at - sent[seq - first - 1] for stream in streams for seq, at in stream.seen if seq in wanted
    )
    print(f"{exact} of {listeners} streams got each of {changes} changes once and in order")
    print(
        f"patch to arrival, ms: p50 {statistics.median(late) * 1000:.0f}, "
        f"p99 {late[int(len(late) * 0.99)] * 1000:.0f}, most {late[-1] * 1000:.0f}"
    )
    print(f"processor time of the node: {spent:.2f} s, {spent / changes / listeners * 1e6:.1f} µs a message")
    if exact != listeners:
        sys.exit(1)


def main() -> None:
    """Runs the bench on a node of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="patches a second")
    given = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    command = [str(Path(sys.executable).with_name("cityloom")), "serve", "--port", "0", "--data"]
    with tempfile.TemporaryDirectory() as folder:
        node = subprocess.Popen(
            [*command, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert node.stdout is not None
        try:
            url = next(
                found[1] for line in node.stdout if (found := re.search(r"page +(http://\S+?)/?\s", line))
            )
            asyncio.run(measure(url, node.pid, given.listeners, given.changes, given.rate))
        finally:
            node.terminate()
            node.wait()


if __name__ == "__main__":
    main()
