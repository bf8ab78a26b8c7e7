"""What `doctor` looks at, and what it advises."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cityloom.access.keys import Keys
from cityloom.app.opening import refuse_idle
from cityloom.cli.deep import examine_kept
from cityloom.cli.findings import Finding
from cityloom.cli.logs import check_level
from cityloom.connect.files import find_files
from cityloom.connect.profile import load_profile
from cityloom.folder import CONFIGURATION, STORE, CityFolder
from cityloom.ld.core_terms import core_context
from cityloom.model.clock import SystemClock
from cityloom.model.errors import BadRequestData, CityloomError, ConfigurationError
from cityloom.model.time import parse_duration

_FREE_WARN = 2 * 1024**3
_FREE_FAIL = 200 * 1024**2


def examine(data: Path, *, deep: bool = False, accept: bool = False) -> Iterator[Finding]:
    """Every finding of `doctor`, in order.

    Args:
        deep: reads all of the city.
        accept: see `examine_kept`.
    """
    if not data.is_dir():
        yield Finding("fail", f"folder: {data} does not exist", f"make a city: cityloom init --data {data}")
        return
    checks: list[Callable[[CityFolder], Iterator[Finding]]] = [
        _check_folder,
        partial(examine_kept, deep=deep, accept=accept),
        _check_disk,
        _check_clock,
        _check_port,
        _check_keys,
        _check_profile,
        _check_contexts,
        _check_page,
    ]
    try:
        folder = CityFolder(data)
    except CityloomError as error:
        yield Finding("fail", error.detail, "mend the file and ask again")
        return
    told = set()
    for check in checks:
        try:
            yield from check(folder)
        except CityloomError as error:
            if error.detail not in told:
                yield Finding("fail", error.detail, "mend it and ask again")
            told.add(error.detail)


def _check_folder(folder: CityFolder) -> Iterator[Finding]:
    if not os.access(folder.path, os.W_OK):
        yield Finding("fail", f"folder: {folder.path} cannot be written", "give its owner the right to write")
    else:
        yield Finding("ok", f"folder: {folder.path}")
    settings = folder.settings()
    check_level(settings)
    refuse_idle(settings)
    try:
        for type, duration in settings.retention.items():
            parse_duration(duration, f"retention of {type}")
        if settings.cold_after:
            parse_duration(settings.cold_after, "coldAfter")
    except BadRequestData as error:
        raise ConfigurationError(f"{folder.path / CONFIGURATION}: {error.detail}") from None


def _check_disk(folder: CityFolder) -> Iterator[Finding]:
    free = shutil.disk_usage(folder.path).free
    text = f"disk: {free / 1e9:,.1f} GB free"
    if free < _FREE_FAIL:
        yield Finding("fail", text, "free some room: writes fail when the disk is full")
    elif free < _FREE_WARN:
        yield Finding("warn", text, "free some room soon")
    else:
        yield Finding("ok", text)


def _check_clock(folder: CityFolder) -> Iterator[Finding]:
    now = time.time()
    if now < 1_700_000_000:
        yield Finding("fail", "clock: it stands before 2024", "set it, and keep it with NTP")
        return
    newest = max((path.stat().st_mtime for path in folder.path.glob(STORE + "*")), default=now)
    if newest > now + 60:
        yield Finding(
            "fail", f"clock: the store was written {newest - now:,.0f} s from now", "set the clock, with NTP"
        )
    else:
        yield Finding("ok", "clock: " + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def _check_port(folder: CityFolder) -> Iterator[Finding]:
    settings = folder.settings()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield Finding(
                "warn",
                f"port: {settings.port} on {settings.host} is taken ({error.strerror})",
                "a node may be running already; else choose another with --port",
            )
        else:
            yield Finding("ok", f"port: {settings.port} on {settings.host} is free")


def _check_keys(folder: CityFolder) -> Iterator[Finding]:
    settings = folder.settings()
    count = len(Keys(folder.keys_file, SystemClock()).all())
    if not settings.loopback and not count:
        yield Finding(
            "fail",
            f"keys: none, and {settings.host} is not loopback: the node will not start",
            f"cityloom key add NAME --role admin --data {folder.path}",
        )
    else:
        yield Finding("ok", f"keys: {count}")


def _check_profile(folder: CityFolder) -> Iterator[Finding]:
    if not folder.profile:
        yield Finding("warn", "profile: none", "a city without a profile has no sources of its own")
        return
    profile = load_profile(folder.profile)
    yield Finding("ok", f"profile: {profile.profile.name}, {len(profile.mappings)} sources")
    if profile.cases_file is not None:
        yield from _check_cases(profile.cases_file)
    missing: list[str] = []
    for mapping in profile.mappings:
        if mapping.path:
            try:
                find_files(mapping, folder.sources)
            except ConfigurationError:
                missing.append(mapping.source)
    if missing:
        yield Finding(
            "warn",
            f"sources: no file in {folder.sources} for {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            "set `sources` in city.yaml to the folder that they are in",
        )


def _check_cases(file: Path) -> Iterator[Finding]:
    from cityloom.cases.behind.following import calendar_warning
    from cityloom.cases.keep.city import load_rules

    rules = load_rules(file)
    warning = calendar_warning(rules.calendar, SystemClock().now())
    if warning:
        yield Finding(
            "warn", f"cases: {warning}", "list the next year under `years` before deadlines reach it"
        )
    else:
        yield Finding(
            "ok",
            f"cases: {rules.workflow.name}, {len(rules.limits.told.types)} types, "
            f"{len(rules.departments)} departments, calendar to {rules.calendar.last}",
        )


def _check_contexts(_: CityFolder) -> Iterator[Finding]:
    terms = len(core_context())
    yield Finding("ok", f"contexts: the core context is built in, {terms} terms")


def _check_page(_: CityFolder) -> Iterator[Finding]:
    page = Path(__file__).parents[1] / "web" / "static" / "index.html"
    if page.exists():
        yield Finding("ok", "page: built")
    else:
        yield Finding("warn", "page: not built", "make page")
