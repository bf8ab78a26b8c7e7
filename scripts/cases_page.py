"""Writes the workflow into docs/cases.md, so that the picture there cannot be out of date.

Usage: python scripts/cases_page.py > cases.md && mv cases.md docs/cases.md
"""

from pathlib import Path

from cityloom.cases.loop.diagram import mermaid, tables
from cityloom.cases.loop.load import load_workflow

PAGE = Path(__file__).parents[1] / "docs" / "cases.md"
BEGIN, END = "<!-- from workflow.yaml: begin -->\n", "<!-- from workflow.yaml: end -->\n"


def page() -> str:
    """The page as Markdown: what people wrote, with the picture and the tables anew."""
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    workflow = load_workflow()
    drawn = (
        f"The moves that need no reason:\n\n```mermaid\n{mermaid(workflow, justified=False)}```\n\n"
        f"The moves that need one:\n\n```mermaid\n{mermaid(workflow, justified=True)}```\n\n"
        f"{tables(workflow)}"
    )
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


if __name__ == "__main__":
    print(page(), end="")
