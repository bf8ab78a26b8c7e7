"""What `doctor` looks at, and what it advises."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cityloom.access.keys import Keys
from cityloom.app.opening import refuse_idle
from cityloom.cli.console import counted
from cityloom.cli.deep import examine_deeply
from cityloom.cli.findings import Finding
from cityloom.cli.logs import check_level
from cityloom.connect.files import find_files
from cityloom.connect.profile import load_profile
from cityloom.folder import CONFIGURATION, STORE, CityFolder
from cityloom.ld.core_terms import core_context
from cityloom.model.clock import SystemClock
from cityloom.model.errors import BadRequestData, CityloomError, ConfigurationError
from cityloom.model.time import parse_duration
from cityloom.store.postgres import examine_postgres

_FREE_WARN = 2 * 1024**3
_FREE_FAIL = 200 * 1024**2


def examine(data: Path, *, deep: bool = False, accept: bool = False) -> Iterator[Finding]:
    """Every finding of `doctor`, in order.

    Args:
        deep: reads all of the city.
        accept: see `examine_deeply`.
    """
    if not data.is_dir():
        yield Finding("fail", f"folder: {data} does not exist", f"make a city: cityloom init --data {data}")
        return
    checks: list[Callable[[CityFolder], Iterator[Finding]]] = [
        _check_folder,
        _check_store,
        _check_cold,
        _check_disk,
        _check_clock,
        _check_port,
        _check_keys,
        _check_profile,
        _check_contexts,
        _check_page,
    ]
    if deep:
        checks.insert(1, partial(examine_deeply, accept=accept))
    try:
        folder = CityFolder(data)
    except CityloomError as error:
        yield Finding("fail", error.detail, "mend the file and ask again")
        return
    for check in checks:
        try:
            yield from check(folder)
        except CityloomError as error:
            yield Finding("fail", error.detail, "mend it and ask again")


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


def _check_store(folder: CityFolder) -> Iterator[Finding]:
    url = folder.settings().store
    if url:
        yield from _check_database(url)
        return
    file = folder.store_file
    if not file.exists():
        yield Finding("warn", "store: none yet", f"it is made by: cityloom serve --data {folder.path}")
        return
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        yield Finding("ok", f"store: {file.stat().st_size / 1e6:,.1f} MB, whole")
    else:
        yield Finding(
            "fail", f"store: {answer}", "restore the last backup: cityloom restore BACKUP --data NEW"
        )
    log = file.with_name(file.name + "-wal")
    if log.exists() and log.stat().st_size > 1024**3:
        yield Finding(
            "warn", "store: the write-ahead log is over 1 GB", "a reader may be stuck: restart the node"
        )


def _check_database(url: str) -> Iterator[Finding]:
    facts = examine_postgres(url)
    told = f"store: {facts.name}, {facts.server}, {facts.size / 1e6:,.1f} MB, durable"
    if facts.version:
        yield Finding("ok", told, "it is backed up by pg_dump, not by cityloom backup")
        if facts.damaged:
            yield Finding(
                "fail",
                f"store: not what was written: {counted(facts.damaged, 'page')}",
                "look for them with pg_amcheck, and restore a dump",
            )
        elif not facts.checksums:
            yield Finding(
                "warn",
                "store: data_checksums is off, so that a page which the disk spoiled is not noticed",
                "pg_checksums --enable, with the server stopped",
            )
    else:
        yield Finding("warn", f"{told}; no city in it yet", "cityloom serve makes an empty one there")


def _check_cold(folder: CityFolder) -> Iterator[Finding]:
    from cityloom.cli.snapshots import opened
    from cityloom.store.migrations import migrations
    from cityloom.store.tables.tiering.status import cold_status

    settings = folder.settings()
    if settings.store:
        if examine_postgres(settings.store).version != len(migrations("postgres")):
            return
    elif not folder.store_file.exists():
        return
    place = folder.cold_place(settings)
    with opened(folder.path) as snapshot:
        found = cold_status(snapshot)
    if found.version is not None:
        size = sum(month.bytes for month in found.months)
        yield Finding("ok", f"history: {found.instances:,} instances in {place}, {size / 1e6:,.1f} MB")


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
            "set `sources` in city.yaml, or name the folder with --sources",
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
