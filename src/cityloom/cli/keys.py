"""`cityloom key`: who may reach a node that listens beyond loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cityloom.access.keys import ROLES, Keys
from cityloom.cli.console import print_whole
from cityloom.folder import CityFolder
from cityloom.model.clock import SystemClock

_Data = Annotated[Path, typer.Option("--data", help="The city's folder.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="API keys of a city.")
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("list")(list_keys)
    app.add_typer(group, name="key")


def add(
    party: Annotated[str, typer.Argument(help="Who will hold the key.")],
    data: _Data,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "reader",
    tenant: Annotated[list[str] | None, typer.Option(help="Only these tenants; all when left out.")] = None,
    case_role: Annotated[
        list[str] | None,
        typer.Option(help="A role in cases: intake, department:roads; * for each. May be given again."),
    ] = None,
) -> None:
    """Makes a key and shows it, this once.

    Example: `cityloom key add "lamps bureau" --role writer --data my-city`
    """
    keys = Keys(CityFolder(data, make=True).keys_file, SystemClock())
    token = keys.add(party, role, tenant or [], case_role or [])
    print(token)


def remove(party: Annotated[str, typer.Argument(help="Whose key.")], data: _Data) -> None:
    """Takes a key away; a running node knows at once.

    Example: `cityloom key remove "lamps bureau" --data my-city`
    """
    Keys(CityFolder(data).keys_file, SystemClock()).remove(party)


def list_keys(data: _Data) -> None:
    """Lists who holds a key, never the keys.

    Example: `cityloom key list --data my-city`
    """
    table = Table("party", "role", "in cases", "tenants", "since")
    for key in Keys(CityFolder(data).keys_file, SystemClock()).all():
        table.add_row(key.party, key.role, ", ".join(key.case_roles), ", ".join(key.tenants), key.created)
    print_whole(table)
