"""What the papers say is true."""

import importlib.util
import itertools
import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["settings", "conformance", "cases"])
def test_generated_page_is_what_its_source_says(name: str) -> None:
    script = ROOT / "scripts" / f"{name}_page.py"
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / f"{name}.md").read_text() == module.page(), (
        f"run: python scripts/{name}_page.py > page.md && mv page.md docs/{name}.md"
    )


def test_links_between_the_papers_lead_somewhere() -> None:
    broken = []
    for paper in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", paper.read_text()):
            if not target.startswith(("http://", "https://")) and not (paper.parent / target).exists():
                broken.append(f"{paper.relative_to(ROOT)}: {target}")
    assert broken == []


def test_lock_files_name_no_registry() -> None:
    for lock in [*(ROOT / "requirements").glob("*.lock"), ROOT / "web-ui" / "package-lock.json"]:
        hosts = set(re.findall(r"https?://[^/\"\s]+", lock.read_text()))
        assert not any("registry" in host or "pypi" in host or "pythonhosted" in host for host in hosts), lock


_COMMANDS = {"curl", "make", "cityloom", ".venv/bin/cityloom", "ogrinfo", "ogr2ogr"}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands_in(block: str) -> list[list[str]]:
    """The commands of a block, in words, as a shell reads them."""
    found, begun = [], ""
    for line in re.sub(r"(?<!\\)\\\n", " ", block).splitlines(keepends=True):
        begun += line
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:
            continue
        begun = ""
        if words:
            found.append(words)
    assert begun == "", f"a quote is not closed: {begun}"
    return found


def test_commands_in_the_papers_can_be_copied() -> None:
    """Each line is a command or goes on with one, and what is sent as JSON is JSON."""
    wrong, sent = [], 0
    for paper in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for language, block in _BLOCK.findall(paper.read_text()):
            if language not in ("", "sh") or not block.startswith(tuple(_COMMANDS)):
                continue
            for words in commands_in(block):
                name = next(word for word in words if "=" not in word or word.startswith("-"))
                if name not in _COMMANDS:
                    wrong.append(f"{paper.relative_to(ROOT)}: {' '.join(words)[:80]}")
                for option, body in itertools.pairwise(words):
                    if option == "-d" and "-G" not in words:
                        json.loads(body)
                        sent += 1
    assert wrong == []
    assert sent > 2
