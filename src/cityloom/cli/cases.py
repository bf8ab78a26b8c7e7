"""`cityloom cases`: the queue, a case and its moves at a running node; past requests as cases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from cityloom.cases.keep.numbers import number_of
from cityloom.cli.asking import NODE, Key, Url, ask
from cityloom.cli.console import out, print_whole, progress_bars
from cityloom.model.errors import ConfigurationError
from cityloom.yamlfile import load_yaml

_Case = Annotated[str, typer.Argument(help="The case: its number, as 2026-000123, or its whole id.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Cases: what the city has to close, in time.")
    group.command("list")(list_cases)
    group.command("show")(show)
    group.command("move")(move)
    group.command("import")(import_cases)
    group.command("surges")(replay_surges)
    calendar = typer.Typer(no_args_is_help=True, help="When the city works: read, check and edit it.")
    calendar.command("show")(show_calendar)
    calendar.command("check")(check_calendar)
    calendar.command("put")(put_calendar)
    calendar.command("editions")(list_editions)
    group.add_typer(calendar, name="calendar")
    app.add_typer(group, name="cases")


def list_cases(
    url: Url = NODE,
    key: Key = "",
    status: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    state: Annotated[str, typer.Option(help="Only these states, with commas.")] = "",
    holder: Annotated[
        str, typer.Option(help="Only those that these roles or departments are to act on.")
    ] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
) -> None:
    """Lists cases by the promise that is left, from a running node.

    Example: `cityloom cases list --holder intake,dispatcher`
    """
    wanted = {"status": status, "state": state, "holder": holder, "limit": str(limit)}
    found = ask("GET", url, "/cases", key, params={name: text for name, text in wanted.items() if text})
    shown = Table("case", "state", "holder", "type", "light", "promised by", "reported")
    for row in found["cases"]:
        promises: list[dict[str, Any]] = [clock for clock in row["clocks"] if clock["clock"] == "promise"]
        promise = promises[0] if promises else {}
        shown.add_row(
            number_of(row["id"]),
            row["state"],
            row.get("holder", ""),
            row.get("type", ""),
            row.get("light") or "",
            promise.get("deadline") or promise.get("state", "none"),
            row["reportedAt"],
        )
    print_whole(shown)
    out.print(f"{len(found['cases'])} of {found['total']:,}")


def show(case: _Case, url: Url = NODE, key: Key = "") -> None:
    """Shows a case: its clocks, what happened, and the moves that are open.

    Example: `cityloom cases show 2026-000123`
    """
    _print(ask("GET", url, f"/cases/{quote(case, safe='')}", key))


def move(
    case: _Case,
    name: Annotated[str, typer.Argument(metavar="MOVE", help="The move, as `show` names it.")],
    given: Annotated[
        list[str] | None, typer.Argument(help="What it needs: reason=TEXT, department=CODE, ...")
    ] = None,
    role: Annotated[str, typer.Option(help="In which role, where it could be several.")] = "",
    acting_for: Annotated[str, typer.Option(help="For which department.")] = "",
    seen: Annotated[
        int | None, typer.Option(help="The last transition that was seen; now's when left out.")
    ] = None,
    url: Url = NODE,
    key: Key = "",
) -> None:
    """Moves a case at a running node.

    Example: `cityloom cases move 2026-000123 dispatch department=roads`
    """
    path = f"/cases/{quote(case, safe='')}"
    body: dict[str, Any] = {"move": name, "role": role, "actingFor": acting_for}
    for text in given or []:
        member, equals, value = text.partition("=")
        if not equals:
            raise ConfigurationError(f"{text!r} is invalid: name=value is required, as in reason=TEXT")
        body[member] = value.split(",") if member in ("evidence", "departments") else value
    body["seen"] = ask("GET", url, path, key)["seen"] if seen is None else seen
    _print(ask("POST", url, f"{path}/moves", key, body=body))


def import_cases(
    data: Annotated[Path, typer.Option("--data", help="The city's folder; no node may be serving it.")],
    kind: Annotated[str, typer.Option("--type", help="The entities that are past requests.")] = (
        "Open311ServiceRequest"
    ),
) -> None:
    """Makes a case of each past request of the live picture, with its own times. Twice changes nothing.

    Example: `cityloom cases import --data my-city`
    """
    from cityloom.app import Node
    from cityloom.cases.keep.past import PastReport, PastRequests
    from cityloom.cli.logs import configure_logs
    from cityloom.folder import CityFolder

    folder = CityFolder(data)
    settings = folder.settings()
    configure_logs(settings)
    node = Node(folder, settings)
    try:
        if node.case_parts.cases is None:
            raise ConfigurationError(
                f"the city in {data} keeps no cases: its profile names no file of `cases`"
            )
        node.prepare()
        importer = PastRequests(
            node.store, node.access, node.case_parts.cases.book, node.ld_context.expand_term
        )
        with progress_bars() as begin:
            bar = begin(f"cases of {kind}")

            def told(report: PastReport) -> None:
                bar((report.made + report.known + report.refused_count) / max(report.read, 1))

            report = asyncio.run(importer.run(node.own_call("importCases"), kind, told))
    finally:
        node.close()
    out.print(
        f"{report.read:,} requests: {report.made:,} new cases, {report.closed:,} closed, "
        f"{report.known:,} known before, {report.without_promise:,} without a promise, "
        f"{report.refused_count:,} refused"
    )
    for id, reason in report.refused:
        out.print(f"{id}: {reason}", markup=False)
    if report.refused_count:
        raise typer.Exit(1)


def replay_surges(
    data: Annotated[Path, typer.Option("--data", help="The city's folder; no node may be serving it.")],
    since: Annotated[str, typer.Option(help="Alarms raised from this time on (ISO 8601).")],
    until: Annotated[str, typer.Option(help="And before this time.")],
) -> None:
    """Replays the arrivals of kept cases as if live, and lists all alarms of that time by type.

    What arrived in the weeks before tells what is usual; nothing that came later is used, nothing is kept.

    Example: `cityloom cases surges --data my-city --since 2011-08-01T00:00:00Z --until 2011-09-01T00:00:00Z`
    """
    from cityloom.app import Node
    from cityloom.cases.looks.alerts import arrivals, reason
    from cityloom.cases.looks.surges_told import past_from, replayed
    from cityloom.cli.logs import configure_logs
    from cityloom.folder import CityFolder
    from cityloom.model.time import format_datetime, parse_datetime

    begin, end = parse_datetime(since, "--since"), parse_datetime(until, "--until")
    folder = CityFolder(data)
    settings = folder.settings()
    configure_logs(settings)
    node = Node(folder, settings)
    try:
        if node.case_parts.cases is None:
            raise ConfigurationError(
                f"the city in {data} keeps no cases: its profile names no file of `cases`"
            )
        rules = node.case_parts.cases.book.rules
        with node.store.snapshot() as snapshot:
            found = arrivals(snapshot, "", past_from(begin, rules), end)
        with progress_bars() as begin_bar:
            bar = begin_bar("arrivals")
            alarms = [
                one
                for one in replayed(found, rules, end, lambda n: bar(n / max(len(found), 1)))
                if one.since >= begin
            ]
    finally:
        node.close()
    shown = Table("type", "area", "raised", "ended", "peak", "why")
    for one in sorted(alarms, key=lambda one: (one.type, one.since, one.area)):
        ended = "on" if one.until is None else format_datetime(one.until)
        why = reason(one, rules, {"@none": one.area} if one.area else None)["en"]
        shown.add_row(one.type, one.area or "-", format_datetime(one.since), ended, str(one.peak), why)
    print_whole(shown)
    city = sum(not one.area for one in alarms)
    out.print(
        f"{len(found):,} arrivals; {city:,} alarms in the whole city, {len(alarms) - city:,} in its areas"
    )


def show_calendar(
    edition: Annotated[int, typer.Option(help="An earlier one, by its number.")] = 0,
    url: Url = NODE,
    key: Key = "",
) -> None:
    """Prints the calendar that holds as YAML, to be edited and put.

    Example: `cityloom cases calendar show > calendar.yaml`
    """
    import yaml

    found = ask("GET", url, "/cases/calendar", key, params={"edition": edition} if edition else {})
    # With `version`, so that an edit of an older one is noticed when it is put.
    told = {name: value for name, value in found.items() if name not in ("first", "last", "edition")}
    typer.echo(yaml.safe_dump(told, allow_unicode=True, sort_keys=False), nl=False)


def check_calendar(file: Annotated[Path, typer.Argument(help="A calendar, as YAML.")]) -> None:
    """Checks a calendar whole, without a node.

    Example: `cityloom cases calendar check calendar.yaml`
    """
    from cityloom.cases.clocks.calendar import make_calendar

    values = {name: value for name, value in load_yaml(file).items() if name != "version"}
    found = make_calendar(values, str(file))
    out.print(
        f"{found.name}: {found.first} to {found.last}, {len(found.hours):,} days with work", markup=False
    )


def put_calendar(
    file: Annotated[Path, typer.Argument(help="A calendar, as YAML.")], url: Url = NODE, key: Key = ""
) -> None:
    """Lets a calendar hold at a running node from now on; open deadlines are recomputed by it.

    Example: `cityloom cases calendar put calendar.yaml`
    """
    found = ask("PUT", url, "/cases/calendar", key, body=load_yaml(file))
    if not found["changed"]:
        out.print(f"edition {found['edition']} is the same: nothing changes")
        return
    out.print(
        f"edition {found['edition']} holds, {found['first']} to {found['last']}; "
        f"it moves the deadlines of {found['clocks']:,} open clocks"
    )


def list_editions(url: Url = NODE, key: Key = "") -> None:
    """Lists every calendar that held: since when, by whom, and what it changed.

    Example: `cityloom cases calendar editions`
    """
    shown = Table("edition", "state", "since", "by", "from", "cases", "deadlines")
    for one in ask("GET", url, "/cases/calendar/editions", key):
        shown.add_row(
            str(one["number"]),
            one["state"],
            one["at"],
            one["by"],
            one["source"],
            f"{one['cases']:,}",
            f"{one['deadlines']:,}",
        )
    print_whole(shown)


def _print(whole: dict[str, Any]) -> None:
    row = whole["case"]
    out.print(
        f"{number_of(row['id'])}: {row['state']}, {row['status']}, with {row.get('holder') or 'nobody'}",
        markup=False,
    )
    for name in ("type", "condition", "description", "address", "area"):
        if row.get(name):
            out.print(f"{name}: {row[name]}", markup=False)
    clocks = Table("clock", "state", "light", "deadline", "left, s")
    for clock in row["clocks"]:
        clocks.add_row(
            clock["clock"], clock["state"], clock["light"], clock.get("deadline") or "", f"{clock['left']:,}"
        )
    print_whole(clocks)
    history = Table("", "move", "to", "at", "by", "reason")
    for one in whole["transitions"]:
        by = f"{one['actor']} ({one['role']})"
        history.add_row(str(one["number"]), one["move"], one["toState"], one["at"], by, one.get("reason", ""))
    print_whole(history)
    moves = Table("open move", "role", "needs")
    for one in whole["moves"]:
        moves.add_row(one["move"], one["role"], ", ".join(one["needs"]))
    print_whole(moves)
