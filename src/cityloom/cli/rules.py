"""`cityloom rules`: decision tables of a running node, from the terminal; files are checked without one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from cityloom.cli.asking import NODE, Key, Url, ask
from cityloom.cli.console import counted, err, out, print_whole, progress_bars
from cityloom.folder import CityFolder
from cityloom.model.errors import BadRequestData, ConfigurationError

if TYPE_CHECKING:
    from cityloom.app.case_tables import CaseTables
    from cityloom.cases.keep.city import CaseRules

_Tenant = Annotated[str, typer.Option(help="The tenant; left out: the default one.")]
_TableId = Annotated[str, typer.Argument(metavar="TABLE", help="The id of the decision table.")]
_VersionId = Annotated[str, typer.Argument(metavar="VERSION", help="Its version.")]
_File = Annotated[Path, typer.Argument(metavar="FILE", help="The table's YAML file.")]
_LOOK_EVERY: Final = 0.2


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Decision tables: who comes, how fast, what opens a case.")
    group.command("list")(list_rules)
    group.command("check")(check)
    group.command("put")(put)
    group.command("replay")(replay)
    group.command("adopt")(adopt)
    app.add_typer(group, name="rules")


def list_rules(url: Url = NODE, key: Key = "", tenant: _Tenant = "") -> None:
    """Lists every version of every table, and when it holds.

    Example: `cityloom rules list`
    """
    table = Table("table", "version", "kind", "rows", "state", "from", "until", "adopted by")
    for one in ask("GET", url, "/rules", key, tenant=tenant):
        days = (one.get("from") or "", one.get("until") or "", one.get("adoptedBy") or "")
        table.add_row(
            one["decisionTable"], one["version"], one["kind"], str(one["rows"]), one["state"], *days
        )
    print_whole(table)


def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The table's YAML file; all those of the city when left out."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="A city's folder, whose codes and departments it must fit.")
    ] = None,
) -> None:
    """Checks a table whole: what is wrong, and what no row speaks of. Asks no node.

    With `--data` alone it checks the tables that the city's profile brings, each by itself and all together.

    Example: `cityloom rules check who-comes.yaml --data my-city`

    Example: `cityloom rules check --data my-city`
    """
    if file is None and data is None:
        raise ConfigurationError("FILE is required, or --data: the city whose tables are checked")
    rules = None if data is None else _rules_of(CityFolder(data))
    if file is not None:
        _check_one(file, rules)
        return
    assert rules is not None
    if not rules.rules:
        out.print("the city's cases.yaml names no tables (`rules`)")
    faults = []
    for each in rules.rules:
        try:
            _check_one(each, rules)
        except ConfigurationError as error:
            faults.append(error.detail)
    if faults:
        raise ConfigurationError("; ".join(faults))
    _tables_of(rules, rules.rules)


def _check_one(file: Path, rules: CaseRules | None) -> None:
    """Prints what is found of a table. Raises ConfigurationError: it cannot be adopted."""
    from cityloom.rules.kept import read_table
    from cityloom.rules.kinds import check_table
    from cityloom.rules.load import read_file

    try:
        table = read_table(read_file(file))
    except BadRequestData as error:
        raise ConfigurationError(f"{file}: {error.detail}") from None
    found = check_table(table)
    if rules is not None:
        found += _tables_of(rules).check(table)
    for one in found:
        out.print(f"{one.level}: {one}", markup=False)
    wrong = sum(one.level == "error" for one in found)
    if wrong:
        raise ConfigurationError(f"{file}: {counted(wrong, 'error')}; the table cannot be adopted")
    out.print(f"{table.id} {table.version}: {counted(len(table.rows), 'row')}, whole", markup=False)


def put(file: _File, url: Url = NODE, key: Key = "", tenant: _Tenant = "") -> None:
    """Sends a table to the node as a draft, or edits the draft that is there.

    Example: `cityloom rules put who-comes.yaml`
    """
    from cityloom.rules.load import read_file

    values = read_file(file)
    name, version = str(values.get("decisionTable", "")), str(values.get("version", ""))
    known = any(
        (one["decisionTable"], one["version"], one["state"]) == (name, version, "draft")
        for one in ask("GET", url, "/rules", key, tenant=tenant)
    )
    if known:
        ask("PUT", url, _path(name, version), key, tenant=tenant, body=values)
    else:
        ask("POST", url, "/rules", key, tenant=tenant, body=values)
    out.print(f"{name} {version}: a draft", markup=False)


def replay(
    table: _TableId,
    version: _VersionId,
    since: Annotated[str, typer.Option("--from", help="The first day; a year before the last.")] = "",
    until: Annotated[str, typer.Option("--until", help="The last day; yesterday.")] = "",
    output: Annotated[Path | None, typer.Option("--out", help="A JSON file for all that came of it.")] = None,
    url: Url = NODE,
    key: Key = "",
    tenant: _Tenant = "",
) -> None:
    """Lives the past again under a version: which cases would change, in what, and how scores move.

    Example: `cityloom rules replay who-comes 2027-01 --from 2026-01-01 --until 2026-12-31`
    """
    asked = ask(
        "POST",
        url,
        _path(table, version) + "/replays",
        key,
        tenant=tenant,
        body={"from": since, "until": until},
    )
    with progress_bars() as begin:
        move = begin(f"replaying {table} {version}")
        while asked["status"] == "running":
            time.sleep(_LOOK_EVERY)
            asked = ask("GET", url, f"/rules/replays/{asked['id']}", key, tenant=tenant)
            move(asked["progress"])
    if asked["status"] == "failed":
        raise ConfigurationError(f"the replay failed: {asked['error']}")
    if output is not None:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(asked), indent=2) + b"\n")
    _tell(asked["result"])


def adopt(
    table: _TableId,
    version: _VersionId,
    since: Annotated[
        str, typer.Option("--from", help="The first day on which it decides; as the table says.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="The last day; open.")] = "",
    url: Url = NODE,
    key: Key = "",
    tenant: _Tenant = "",
) -> None:
    """Lets a draft decide from a day on; after that it never changes. For who may administer.

    Example: `cityloom rules adopt who-comes 2027-01 --from 2027-01-01`
    """
    days = {"from": since, "until": until}
    told = ask("POST", url, _path(table, version) + "/adopt", key, tenant=tenant, body=days)
    end = f" until {told['until']}" if told["until"] else ""
    out.print(f"{table} {version} decides from {told['from']}{end}", markup=False)


def _tell(result: dict[str, Any]) -> None:
    """The outcome of a replay for a person: the first changes, counts, and the scores that move."""
    changes = Table("case", "what", "before", "after")
    for one in result["changed"][:50]:
        for number, each in enumerate(one["changes"]):
            changes.add_row(
                "" if number else one["case"], each["fact"], str(each["before"]), str(each["after"])
            )
    for name in ("opened", "notOpened"):
        for one in result[name][:50]:
            opened = ("no", "yes") if name == "opened" else ("yes", "no")
            changes.add_row(one["entity"], f"{one['caseType']} at {one['at']}", *opened)
    if changes.row_count:
        print_whole(changes)
    scores = Table("score", "before", "after")
    for name, before in result["scoresBefore"].items():
        after = result["scoresAfter"].get(name)
        if before != after:
            scores.add_row(name, _number(before), _number(after))
    if scores.row_count:
        print_whole(scores)
    changed = len(result["changed"]) + len(result["opened"]) + len(result["notOpened"])
    out.print(f"{changed:,} of {result['cases']:,} cases would change", markup=False)
    if result["unlike"]:
        err.print(
            f"{len(result['unlike']):,} cases are left out: the rules of their days do not give their record",
            markup=False,
        )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _rules_of(folder: CityFolder) -> CaseRules:
    from cityloom.cases.keep.city import load_rules
    from cityloom.connect.profile import load_profile

    file = load_profile(folder.profile).cases_file if folder.profile else None
    if file is None:
        raise ConfigurationError(f"the city in {folder.path} has no cases.yaml in its profile")
    return load_rules(file)


def _tables_of(rules: CaseRules, files: tuple[Path, ...] = ()) -> CaseTables:
    """What a table must fit. Raises ConfigurationError: the files do not fit each other."""
    from cityloom.app.case_tables import CaseTables

    return CaseTables(rules.workflow, rules.limits, rules.departments, files)


def _path(table: str, version: str) -> str:
    from urllib.parse import quote

    return f"/rules/{quote(table, safe='')}/versions/{quote(version, safe='')}"
