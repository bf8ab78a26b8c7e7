"""Holds an empty node against ETSI's NGSI-LD conformance suite and writes what came of it.

Usage: `make conform GIT_DIR=copy-of-the-suite [ORDER=reverse] [AREAS="jsonldContext/Provision …"]`,
the area of several brokers as AREAS=several.

Each area meets a node with an empty store, and the area "several" five of them: the tests share
entity types and leave some of what they made behind. The scores go to docs/conformance-suite.yaml, and
docs/conformance.md is made anew. Areas that were not run keep the scores that they had. The exit status
is 1 when a test fails without a reason in docs/conformance-misses.yaml, or when one that has a reason
there passes.

The suite is prepared and run by a program that is no part of the project (CONFORM_RUNNER); nothing of
the suite is kept here. It takes about sixteen minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
SCORES = ROOT / "docs" / "conformance-suite.yaml"
MISSES = ROOT / "docs" / "conformance-misses.yaml"
PAGE = ROOT / "docs" / "conformance.md"
SEVERAL = "several"
NODES = 5
PORTS = {
    8085: "notifications",
    8086: "the context source",
    8087: "the @context source",
    8090: "the @contexts",
    1883: "MQTT",
    1884: "MQTT",
}
"""Loopback ports on which the suite listens itself."""
SETTINGS = {
    "sourceTimeout": 1.0,  # the suite's context source never answers a request that it does not expect
    "notifyBackoff": 8.0,  # one attempt in the time in which the suite counts notifications
    "temporalMax": 50,  # the suite expects that 118 instances are too many for one answer
    "logLevel": "warning",
}

Row = dict[str, Any]
"""A failed test, or one of a miss: `file` below the suite, `test` its whole name."""


class NotReadyError(Exception):
    """What the run needs is missing; the message says what, and how to get it."""


def key_of(row: Row) -> tuple[str, str]:
    """What tells a test from all others: the same name stands in several files."""
    return row["file"], row["test"]


def judged(failed: Iterable[Row], misses: Iterable[Row], areas: Iterable[str]) -> list[str]:
    """What of the failures and the listed misses does not fit together, a line each.

    Args:
        failed: the failed tests, each with its `area` and `message`.
        misses: the rows of conformance-misses.yaml: `clause`, `reason`, `tests`.
        areas: the areas that were run; a miss in another is not judged.
    """
    ran = set(areas)
    fell = {key_of(row): row for row in failed}
    reasons = {key_of(test): miss for miss in misses for test in miss["tests"]}
    lines = [
        f"{test} fails without a reason: {fell[file, test]['message']} ({file})"
        for file, test in sorted(fell.keys() - reasons.keys())
    ]
    lines += [
        f"{test} passes, and is listed as a miss by clause {reasons[file, test]['clause']} ({file})"
        for file, test in sorted(reasons.keys() - fell.keys())
        if area_of(file) in ran
    ]
    return lines


def area_of(file: str) -> str:
    """The area of a file of the suite: two levels below TP/NGSI-LD."""
    parts = file.split("/")
    return SEVERAL if parts[0] == "IOP_TP" else "/".join(parts[2:-1][:2])


def merged(before: Row, now: Row) -> Row:
    """The scores before with those of the areas that ran now in their places, sorted by area."""
    if before.get("commit") != now["commit"]:
        before = {}
    areas = {**before.get("areas", {}), **now["areas"]}
    kept = [row for row in before.get("failed", []) if row["area"] not in now["areas"]]
    failed = sorted([*kept, *now["failed"]], key=lambda row: (row["area"], *key_of(row)))
    return {**now, "areas": dict(sorted(areas.items())), "failed": failed}


def in_order(areas: Sequence[str], order: str) -> list[str]:
    """The areas by name, the several brokers last; all the other way round when `order` is reverse."""
    ordered = sorted(areas, key=lambda area: (area == SEVERAL, area))
    return ordered[::-1] if order == "reverse" else ordered


class Suite:
    """ETSI's suite, prepared below `work`.

    Args:
        git_dir: a git copy of the suite.
        runner: the program that prepares and runs it.
        work: where all that is made goes; ignored by git.

    Raises:
        NotReadyError: something that it needs is missing.
    """

    def __init__(self, git_dir: str, runner: Path, work: Path) -> None:
        self._runner, self._work = runner, work
        self._environment = {**os.environ, "ETSI_WORK": str(work), "PYTHONDONTWRITEBYTECODE": "1"}
        if not git_dir:
            raise NotReadyError("GIT_DIR is required: make conform GIT_DIR=a git copy of the suite")
        if not runner.is_file():
            raise NotReadyError(
                f"{runner} does not exist: name the program that runs the suite, CONFORM_RUNNER=…"
            )
        done = self._git(git_dir, "log", "-1", "--format=%H %cs")
        if done.returncode:
            raise NotReadyError(f"GIT_DIR is invalid: {git_dir} is no git copy of the suite")
        self.commit, self.date = done.stdout.split()
        if shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") is None:
            raise NotReadyError("mosquitto is required for the tests over MQTT: apt-get install mosquitto")
        taken = [f"{port} ({use})" for port, use in PORTS.items() if _is_taken(port)]
        if taken:
            raise NotReadyError(f"ports of 127.0.0.1 that the suite needs are taken: {', '.join(taken)}")
        done = self._run("setup", git_dir)
        if done.returncode:
            raise NotReadyError(
                "the suite or Robot Framework could not be prepared (python3-venv and a package index are "
                f"needed): {(done.stderr or done.stdout).strip()[-2000:]}"
            )

    @staticmethod
    def _git(git_dir: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", git_dir, *command], capture_output=True, text=True, check=False)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(self._runner), *command],
            env=self._environment,
            cwd=self._work,
            capture_output=True,
            text=True,
            check=False,
        )

    def areas(self) -> list[str]:
        """The areas that have tests."""
        top = self._work / "suite"
        files = [*top.glob("TP/NGSI-LD/*/*/**/*.robot"), *top.glob("IOP_TP/NGSI-LD/**/*.robot")]
        return sorted(
            {area_of(str(path.relative_to(top))) for path in files if path.name != "__init__.robot"}
        )

    def run(self, area: str, urls: Sequence[str]) -> Row:
        """Runs one area: `passed`, `total` and the `failed` tests.

        Args:
            urls: of the node, or of each of several.

        Raises:
            NotReadyError: Robot Framework did not run.
        """
        where = self._work / "out" / area.replace("/", "-")
        shutil.rmtree(where, ignore_errors=True)
        options = [f"TP/NGSI-LD/{area}"]
        if area == SEVERAL:
            options = ["IOP_TP"]
            for number, url in enumerate(urls, 1):
                options = ["--variable", f"b{number}_url:{url}/ngsi-ld/v1", *options]
        ran = self._run("run", f"{urls[0]}/ngsi-ld/v1", str(where), *options)
        score = self._run("score", str(where / "output.xml"), "--json")
        if score.returncode:
            raise NotReadyError(f"{area} was not run: {(ran.stderr or score.stderr).strip()[-2000:]}")
        told = json.loads(score.stdout)
        failed = [
            {"area": area, "file": file, "test": name, "message": message}
            for _, file, name, message in told["failed"]
        ]
        return {"passed": told["passed"], "total": told["total"], "failed": failed}


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def run_areas(suite: Suite, areas: Sequence[str]) -> Row:
    """Runs the areas, in the order given, on empty nodes; tells of each when it is done."""
    sys.path.insert(0, str(ROOT / "tests"))
    from nodes import NodeProcess

    scores: Row = {"commit": suite.commit, "date": suite.date, "areas": {}, "failed": []}
    for area in areas:
        with tempfile.TemporaryDirectory(prefix="cityloom-conform-") as folder, ExitStack() as stack:
            urls = []
            for number in range(NODES if area == SEVERAL else 1):
                data = Path(folder) / f"node{number}"
                data.mkdir()
                (data / "city.yaml").write_text(yaml.safe_dump({"settings": SETTINGS}))
                urls.append(stack.enter_context(NodeProcess(data)).url)
            told = suite.run(area, urls)
        print(f"{area}: {told['passed']} of {told['total']}", flush=True)
        scores["areas"][area] = {"passed": told["passed"], "total": told["total"]}
        scores["failed"] += told["failed"]
    return scores


def main() -> int:
    """Runs and tells; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("git_dir", nargs="?", default="")
    parser.add_argument("--runner", type=Path, default=ROOT.parent / "shared" / "etsi" / "etsi.py")
    parser.add_argument("--work", type=Path, default=ROOT / ".etsi")
    parser.add_argument("--order", choices=("forward", "reverse"), default="forward")
    parser.add_argument("--areas", nargs="*", default=[])
    given = parser.parse_args()
    try:
        work = given.work.resolve()
        work.mkdir(parents=True, exist_ok=True)
        suite = Suite(given.git_dir, given.runner.resolve(), work)
        known = suite.areas()
        unknown = set(given.areas) - set(known)
        if unknown:
            raise NotReadyError(
                f"AREAS is invalid: {', '.join(sorted(unknown))}; there are {', '.join(known)}"
            )
        scores = run_areas(suite, in_order(given.areas or known, given.order))
    except NotReadyError as error:
        print(f"conform: {error}", file=sys.stderr)
        return 2
    before = yaml.safe_load(SCORES.read_text()) if SCORES.exists() else {}
    whole = merged(before or {}, scores)
    SCORES.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120))
    from conformance_page import page

    PAGE.write_text(page())
    passed, total = (sum(row[name] for row in scores["areas"].values()) for name in ("passed", "total"))
    print(f"{passed} of {total}; told in {PAGE.relative_to(ROOT)}")
    misses = yaml.safe_load(MISSES.read_text()) or []
    lines = judged(scores["failed"], misses, scores["areas"])
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
