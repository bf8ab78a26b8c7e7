"""The examples of docs/ogc.md do what they say, on the sample city."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.page.node import NodeProcess

PAPER = Path(__file__).parents[2] / "docs" / "ogc.md"
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAPER.read_text(), re.DOTALL)


def test_paper_has_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize(
    "example",
    EXAMPLES,
    ids=lambda text: text.split("8026")[1].split('"')[0].removeprefix("/ogc")[:40] or "root",
)
def test_example_works(sample_city: NodeProcess, tmp_path: Path, example: str) -> None:
    for line in example.strip().splitlines():
        command = line.replace("http://127.0.0.1:8026", sample_city.url).replace("curl -s", "curl -sS --fail")
        ended = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, "ERROR" in ended.stderr) == (0, False), (line, ended.stderr)
        made = [file for file in tmp_path.iterdir() if file.stat().st_size > 100]
        assert len(ended.stdout) > 200 or made, line
        if "/items" in line and ended.stdout:
            assert '"numberReturned":0' not in ended.stdout, line
