"""What the papers say is true."""

import importlib.util
import re
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
