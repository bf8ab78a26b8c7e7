"""What a process loads before it has work to do: every node and every command pays for it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "needed", "later"),
    [
        (
            "cityloom.cli.main",
            {"typer"},
            {"aiohttp", "apsw", "numpy", "polars", "pyproj", "shapely", "starlette", "structlog", "uvicorn"},
        ),
        (
            "cityloom.app",
            {"apsw", "shapely", "starlette"},
            {
                "aiohttp",
                "aiomqtt",
                "google.protobuf",
                "jsonschema",
                "odata_query",
                "polars",
                "pyproj",
                "watchfiles",
            },
        ),
    ],
)
def test_process_loads_a_library_when_it_first_needs_it(
    module: str, needed: set[str], later: set[str]
) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert needed <= set(loaded)
    assert later.isdisjoint(loaded)
