"""What the papers say is true."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_settings_page_is_what_the_settings_say() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "scripts" / "settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "settings.md").read_text() == module.page(), (
        "run: python scripts/settings_page.py > docs/settings.md"
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
