"""Runs the whole test suite, and what failed in it once more, alone and in order.

A test that fails beside others and passes alone is a defect of the test or, worse, a race of the product:
it is named at the end as unsteady, and more than a few of them fail the run. What fails alone too has failed.
"""

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
UNSTEADY_AT_MOST = 3
TESTS_FAILED = 1


def pytest(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def main() -> int:
    """The exit code of pytest; 1 when more tests than a few were unsteady."""
    FAILED.unlink(missing_ok=True)
    code = pytest("-n", "2", *sys.argv[1:])
    if code != TESTS_FAILED or not FAILED.exists():
        return code
    failed = sorted(json.loads(FAILED.read_text()))
    print(f"\n{len(failed)} failed; once more, alone:", *failed, sep="\n  ", flush=True)
    if len(failed) > UNSTEADY_AT_MOST:
        print(f"more than {UNSTEADY_AT_MOST} is no accident", flush=True)
        return code
    code = pytest(*failed)
    if code == 0:
        print(
            "\nUNSTEADY, to be mended (failed beside others, passed alone):", *failed, sep="\n  ", flush=True
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
