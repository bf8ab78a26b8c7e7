"""`cityloom open311-check`: any Open311 server against the standard."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from cityloom.cli.console import out, print_whole
from cityloom.model.errors import CityloomError, ConfigurationError

_COLOURS = {"error": "red", "warning": "yellow", "ok": "green"}


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command("open311-check")(open311_check)


def open311_check(
    url: Annotated[str, typer.Argument(help="Its discovery, the folder of that, or the endpoint itself.")],
    jurisdiction: Annotated[str, typer.Option(help="The jurisdiction_id, where it asks for one.")] = "",
    post: Annotated[
        bool, typer.Option("--post", help="Writes one test request, and finds it again.")
    ] = False,
    api_key: Annotated[
        str, typer.Option(help="The key for that; or in the environment, as OPEN311_API_KEY.")
    ] = "",
    service: Annotated[str, typer.Option(help="Its service_code; else the last that asks nothing.")] = "",
    lat: Annotated[str, typer.Option(help="Where: degrees (WGS 84); else where another request is.")] = "",
    long: Annotated[str, typer.Option(help="Where: degrees (WGS 84).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON, for a program.")] = False,
) -> None:
    """Checks any Open311 server against GeoReport v2; exit status 1 when the standard says otherwise.

    Nothing is written without `--post`.

    Example: `cityloom open311-check http://127.0.0.1:8026/open311/discovery.xml`
    """
    import json

    from cityloom.client import CityError
    from cityloom.client.open311 import Trial, check

    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"url is invalid: {url!r} is no address beginning with http:// or https://")
    key = api_key or os.environ.get("OPEN311_API_KEY", "")
    test = Trial(api_key=key, service_code=service, lat=lat, long=long) if post else None
    try:
        found = check(url, jurisdiction=jurisdiction, test=test)
    except CityError as error:
        raise CityloomError(f"{error.title}: {error.detail}") from None
    if as_json:
        print(json.dumps([one._asdict() for one in found], ensure_ascii=False, indent=2))
    else:
        shown = Table("", "check", "clause", "seen")
        for one in found:
            shown.add_row(
                Text(one.level, _COLOURS[one.level]), Text(one.code), Text(one.clause), Text(one.seen)
            )
        print_whole(shown)
        counts = {level: sum(one.level == level for one in found) for level in _COLOURS}
        out.print(f"errors {counts['error']}, warnings {counts['warning']}, right {counts['ok']}")
    if any(one.level == "error" for one in found):
        raise typer.Exit(1)
