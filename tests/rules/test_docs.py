"""What docs/rules.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

from cityloom.app.case_tables import CaseTables
from cityloom.cases.clocks.limits import load_limits
from cityloom.cases.loop.load import load_workflow
from cityloom.rules.kinds import KINDS, check_table
from cityloom.rules.load import load_table
from cityloom.rules.opening import opening_rules

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_example_of_the_page_is_a_table_that_is_whole_in_either_form(tmp_path: Path) -> None:
    text = PAGE.read_text()
    example = re.findall(r"```yaml\n(decisionTable: who-comes.*?)```", text, re.DOTALL)[0]
    (tmp_path / "rows.yaml").write_text(example)
    by_yaml = load_table(tmp_path / "rows.yaml")
    found = [*check_table(by_yaml), *CaseTables(load_workflow(), load_limits()).check(by_yaml)]
    assert found == []

    lines = re.findall(r"^\| (id \| type.*?)\n\n", text, re.DOTALL | re.MULTILINE)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in [lines[0], *lines[2:]]]
    (tmp_path / "rows.csv").write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in cells))
    (tmp_path / "table.yaml").write_text(re.sub(r"rows:.*", "rows: rows.csv", example, flags=re.DOTALL))
    by_csv = load_table(tmp_path / "table.yaml")
    assert [(row.tests, row.outputs) for row in by_csv.rows] == [
        (row.tests, row.outputs) for row in by_yaml.rows
    ]


def test_the_opening_rules_of_the_page_are_whole(tmp_path: Path) -> None:
    example = re.findall(r"```yaml\n(decisionTable: live.*?)```", PAGE.read_text(), re.DOTALL)[0]
    (tmp_path / "live.yaml").write_text(example)
    table = load_table(tmp_path / "live.yaml")
    assert [rule.row for rule in opening_rules(table)] == ["dark", "river", "bin", "silent"]
    assert CaseTables(load_workflow(), load_limits()).check(table) == []


def test_the_page_names_what_each_kind_asks_for_and_gives() -> None:
    rows = {
        line.split("|")[1].strip(" `"): line
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| `(routing|limits|escalation|opening)` \|", line)
    }
    assert set(rows) == set(KINDS)
    for kind, line in rows.items():
        for name in (*KINDS[kind].inputs, *KINDS[kind].required, *KINDS[kind].hit_policies):
            assert f"`{name}`" in line
