"""Debian's GDAL, as QGIS uses it: its command line programs in processes of their own."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_ASKED = re.compile(r"HTTP: Fetch\((\S+)\)")


@dataclass
class Outcome:
    """What a program said, and the addresses that it asked."""

    said: str
    asked: list[str]


def require_gdal() -> None:
    """Fails the test with the remedy where GDAL's programs are not installed."""
    for program in ("ogrinfo", "ogr2ogr"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} does not exist: apt-get install gdal-bin")


def run(program: str, *arguments: str) -> Outcome:
    """Runs a program to its end; fails the test when GDAL tells an error."""
    ended = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "CPL_DEBUG": "HTTP"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "ERROR" not in ended.stderr, ended.stderr
    return Outcome(ended.stdout, _ASKED.findall(ended.stderr))


def layers(source: str) -> dict[str, str]:
    """The layers of a source, with their kinds of geometry ("" where GDAL tells none)."""
    outcome = run("ogrinfo", "-ro", "-q", source)
    found = re.findall(r"^\d+: (\S+)(?: \(title: .*?\))?(?: \(([^()]+)\))?$", outcome.said, re.MULTILINE)
    return dict(found)


def read_csv(source: str, target: Path, *arguments: str) -> tuple[dict[str, list[dict[str, str]]], Outcome]:
    """Every layer of a source as GDAL reads it, by way of its own CSV, geometry as WKT."""
    outcome = run(
        "ogr2ogr", "-f", "CSV", str(target), source, "-lco", "GEOMETRY=AS_WKT", "-skipfailures", *arguments
    )
    csv.field_size_limit(sys.maxsize)
    files = [target] if target.is_file() else sorted(target.glob("*.csv"))
    tables = {}
    for file in files:
        with file.open(newline="") as lines:
            tables[file.stem] = list(csv.DictReader(lines))
    return tables, outcome
