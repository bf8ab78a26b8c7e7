"""Writes docs/settings.md from `Settings`, so that the page cannot be out of date.

Usage: python scripts/settings_page.py > docs/settings.md
"""

from cityloom.model.settings import describe

HEAD = """# Settings

Set them under `settings:` in the `city.yaml` of the city's folder;
`cityloom serve` takes `--host`, `--port`, `--store` and `--workers` besides.
An unknown name or a wrong kind stops the node before it starts, with one sentence that says which.

| setting | default | unit | what it does |
|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    rows = [f"| `{name}` | `{default}` | {unit} | {text} |" for name, default, unit, text in describe()]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(page(), end="")
