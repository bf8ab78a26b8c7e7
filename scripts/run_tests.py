"""Runs the whole test suite, and what failed in it once more, alone and in order.

A test that fails beside others and passes alone is a defect of the test or, worse, a race of the product:
it is named at the end as unsteady, and more than a few of them fail the run.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FAILED = Path(".pytest_cache/v/cache/lastfailed")
UNSTEADY_AT_MOST = 3
TESTS_FAILED = 1
MEMORY = Path("/dev/shm")
ROOM = 10 * 1024**3
"""Bytes of memory that must be free for the tests' files to be kept there; most of them are a real city's."""


def pytest(folder: str, *arguments: str) -> int:
    """The exit code of a run whose files, and those of the processes that it starts, are in `folder`."""
    command = [sys.executable, "-m", "pytest", f"--basetemp={folder}/pytest", *arguments]
    return subprocess.run(command, check=False, env={**os.environ, "TMPDIR": folder}).returncode


def is_roomy() -> bool:
    """Whether memory has room for files: a sync costs nothing there, and no test takes the power away."""
    if not MEMORY.is_dir():
        return False
    free = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    part = os.statvfs(MEMORY)
    return free is not None and min(int(free[1]) * 1024, part.f_bavail * part.f_frsize) > ROOM


def main() -> int:
    """The exit code of pytest; 1 when more tests than a few were unsteady."""
    FAILED.unlink(missing_ok=True)
    place = MEMORY if is_roomy() else None
    with TemporaryDirectory(prefix="cityloom-tests-", dir=place, ignore_cleanup_errors=True) as folder:
        code = pytest(folder, "-n", "2", *sys.argv[1:])
        if code != TESTS_FAILED or not FAILED.exists():
            return code
        failed = sorted(json.loads(FAILED.read_text()))
        print(f"\n{len(failed)} failed; once more, alone:", *failed, sep="\n  ", flush=True)
        if len(failed) > UNSTEADY_AT_MOST:
            print(f"more than {UNSTEADY_AT_MOST} is no accident", flush=True)
            return code
        code = pytest(folder, *failed)
    if code == 0:
        print(
            "\nUNSTEADY, to be mended (failed beside others, passed alone):", *failed, sep="\n  ", flush=True
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
