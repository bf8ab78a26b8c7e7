"""Importing the past in bulk: a file in long form, in columns, straight into the cold tables.

The rows are checked and laid aside by month first, on disk; then each month goes to the store in
sorted chunks that the memory bears. Rows too new for the tables go the common way. A run that is
killed leaves whole chunks behind, and running it again brings what is missing.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cityloom.broker.ports import Call
from cityloom.broker.schemas import SCHEMA
from cityloom.connect.files import SourceFile, digest
from cityloom.connect.mapping import Mapping
from cityloom.connect.past_csv import BATCH
from cityloom.connect.past_file import PastFile
from cityloom.connect.past_mapped import MappedFile
from cityloom.connect.past_rows import PLACE, appends_of, counted
from cityloom.connect.rejectfile import RejectFile
from cityloom.connect.rejects import Reject
from cityloom.connect.report import FileRead, Report
from cityloom.connect.run import Importer, Named, number_of
from cityloom.connect.work import when_free
from cityloom.model.errors import CityloomError, ConfigurationError, StoreFailed
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import ColdHistory

if TYPE_CHECKING:
    import polars

CHUNK: Final = 1_000_000
"""Rows that one event brings: a file of the tables."""
SHARE: Final = 2
"""As many chunks are sorted at once."""
_ASIDE: Final = "aside"
_NEW: Final = "new"
"""Where rows lie that are too new for the tables."""


class PastSource(Struct, frozen=True):
    """The source that instances of the past are told by: the same file under the same name adds nothing."""

    source: str
    title: str = ""
    digest: str = ""


class PastRows(Protocol):
    """A file of the past, in whatever form."""

    path: Path
    name: str

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    def batches(self) -> Iterator[tuple[polars.DataFrame, list[Reject]]]:
        """Rows an instance, and those of the file that are wrong."""
        ...

    def reject(self, row: dict[str, Any], reason: str) -> Reject:
        """The line of a reject file."""
        ...


class PastImport:
    """Brings files of the past into a city that nobody else writes to.

    Args:
        importer: keeps the account of its runs.
        cold: where old rows go.
        before: rows older than this (µs) go there.
        make: whether entities that history does not know are made; else their rows are rejected.
        chunk: rows that one event brings.
    """

    def __init__(
        self, importer: Importer, cold: ColdHistory, before: int, *, make: bool = True, chunk: int = CHUNK
    ) -> None:
        self._importer = importer
        self.target = importer.target
        self.cold = cold
        self.before = before
        self.make = make
        self.chunk = chunk

    async def run(
        self, path: Path, source: str, zone: str = "", progress: Callable[[float], None] | None = None
    ) -> Report:
        """Imports a file.

        Args:
            source: its name, of letters, digits, `-`, `_` and `.`.
            zone: the time zone of times that name none; "" refuses these, texts row by row.
            progress: is told the share that is done, 0 to 1.

        Raises:
            ConfigurationError: the file is not as it must be; nothing was imported, or what was is whole.
            StoreFailed: the disk is full or gone.

        Cost: about 3 µs an instance, and room on the disk for the rows in the meantime.
        """
        if not source or not all(letter.isalnum() or letter in "-_." for letter in source):
            raise ConfigurationError(
                f"the source {source!r} is invalid: only letters, digits, '-', '_' and '.' may name it"
            )
        file = await asyncio.to_thread(PastFile, path, self.target.expand, zone)
        return await self._run(PastSource(source), [file], (), progress)

    async def run_mapped(
        self, mapping: Mapping, files: Sequence[SourceFile], progress: Callable[[float], None] | None = None
    ) -> Report:
        """Imports files of a source by its mapping, one after the other; repeats are counted within a file.

        Raises:
            ConfigurationError: the mapping is not plain enough, or a file is not as it must be.
            StoreFailed: the disk is full or gone.
        """
        read = partial(MappedFile, mapping, expand=self.target.expand)
        opened = [await asyncio.to_thread(read, path=file.path, name=file.name) for file in files]
        return await self._run(mapping, opened, mapping.entity.scopes, progress)

    async def _run(
        self,
        named: Named,
        files: Sequence[PastRows],
        scopes: Sequence[str],
        progress: Callable[[float], None] | None,
    ) -> Report:
        folder = self.target.rejects / named.source
        report = await self._importer.begin(named)
        begun = time.monotonic()
        rejects = RejectFile(folder, number_of(report))
        newest: int | None = None
        try:
            for number, file in enumerate(files):
                told = SourceFile(path=file.path, content=file.path, name=file.name)
                sha256, size = await asyncio.to_thread(digest, told)
                read = FileRead(name=file.name, bytes=size, sha256=sha256, rows=file.rows)
                report.files.append(read)
                call = self._importer.call(named, report, read)
                share = None if progress is None else partial(_part, progress, number, len(files))
                run = _Run(self, file, (call, scopes), report, rejects, share)
                shutil.rmtree(folder / _ASIDE, ignore_errors=True)
                found = await run.everything(folder / _ASIDE)
                read.rows = file.rows
                report.read += file.rows
                newest = found if newest is None or (found or newest) > newest else newest
            report.conclude()
        except asyncio.CancelledError:
            report.error = "the run was stopped"
            raise
        except CityloomError as error:
            report.error = error.detail
            raise
        finally:
            shutil.rmtree(folder / _ASIDE, ignore_errors=True)
            if report.status != "ok":
                report.status = "failed"
            report.seconds = round(time.monotonic() - begun, 3)
            await self._importer.finish(named, report, newest)
        return report


def _part(progress: Callable[[float], None], number: int, count: int, share: float) -> None:
    progress((number + share) / count)


class _Run:
    """One file on its way."""

    def __init__(
        self,
        of: PastImport,
        file: PastRows,
        how: tuple[Call, Sequence[str]],
        report: Report,
        rejects: RejectFile,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._of = of
        self._target = of.target
        self._file = file
        self._call, self._scopes = how
        self._report = report
        self._rejects = rejects
        self._progress = progress

    async def everything(self, aside: Path) -> int | None:
        """Both steps; the newest time that was read."""
        newest, laid, count = None, 0, 0
        batches = self._file.batches()
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            rows, wrong = batch
            rows = await self._checked(rows)
            await asyncio.to_thread(self._reject, wrong)
            laid, count = laid + 1, count + rows.height
            found = await asyncio.to_thread(self._lay_aside, rows, aside, laid)
            newest = found if newest is None else max(newest, found or newest)
            self._tell(0.4 * laid * BATCH / max(1, self._file.rows))
        done = 0
        chunks = self._chunks(aside)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            is_new, rows = chunk
            if is_new:
                await self._append(rows)
            else:
                await asyncio.to_thread(self._bring, rows)
            done += rows.height
            self._tell(0.4 + 0.6 * done / max(1, count))
        return newest

    def _tell(self, share: float) -> None:
        if self._progress is not None:
            self._progress(min(share, 1.0))

    def _reject(self, wrong: Sequence[Reject]) -> None:
        for reject in wrong:
            self._report.reject(reject.reason)
        self._rejects.write(list(wrong))

    def _lay_aside(self, rows: polars.DataFrame, aside: Path, number: int) -> int | None:
        """Writes rows beside those of the same month."""
        import polars as pl

        if not rows.height:
            return None
        month = pl.col("time").cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m")
        old = pl.col("time") < self._of.before
        keyed = rows.with_columns(month=pl.when(old).then(month).otherwise(pl.lit(_NEW)))
        for (name,), some in keyed.partition_by("month", as_dict=True, include_key=False).items():
            folder = aside / str(name)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                some.write_parquet(folder / f"{number:06}.parquet", compression="lz4", statistics=False)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise StoreFailed(f"rows could not be laid aside in {folder}: {error}") from None
        newest: Any = rows["time"].max()
        return int(newest)

    def _chunks(self, aside: Path) -> Iterator[tuple[bool, polars.DataFrame]]:
        """What was laid aside, chunk by chunk; with True what is too new for the tables."""
        for month in sorted(aside.glob("*")):
            for rows in self._shares(month):
                for start in range(0, rows.height, self._of.chunk):
                    yield month.name == _NEW, rows.slice(start, self._of.chunk)

    def _shares(self, month: Path) -> Iterator[polars.DataFrame]:
        """The rows of a month in the order of the tables, with what number of its stamp each is."""
        import polars as pl

        rows = pl.scan_parquet(month / "*.parquet")
        sizes = rows.group_by(PLACE).len().sort(PLACE).collect()
        share = (sizes["len"].cum_sum() - 1) // (SHARE * self._of.chunk)
        for keys in sizes.with_columns(share=share).partition_by("share", maintain_order=True):
            order = keys.select(PLACE).with_row_index("place")
            yield counted(rows.join(order.lazy(), on=PLACE, how="inner"))

    def _bring(self, rows: polars.DataFrame) -> None:
        call, report = self._call, self._report
        brought = self._of.cold.bring(call.tenant, rows, call.cause, make=self._of.make, scopes=self._scopes)
        report.values_new += brought.new
        report.values_known += brought.known
        report.repeated += rows.filter(rows["occurrence"] > 0).height
        if brought.refused.height:
            self._reject(self._refused(rows, brought.refused))

    def _refused(self, rows: polars.DataFrame, refused: polars.DataFrame) -> list[Reject]:
        import polars as pl

        told = (
            rows.join(refused.unique("row"), on="row")
            .unique("row")
            .sort("row")
            .with_columns(
                id="entityId",
                observedAt=pl.col("time").map_elements(format_datetime, pl.String),
                value=pl.coalesce("json", pl.col("number").cast(pl.String)),
            )
        )
        wrong = told.select("row", "id", "type", "attribute", "observedAt", "value", "datasetId", "unitCode")
        return [
            self._file.reject(row, reason)
            for reason, row in zip(told["reason"], wrong.iter_rows(named=True), strict=True)
        ]

    # -- rows of which objects are made ------------------------------------------------

    async def _checked(self, rows: polars.DataFrame) -> polars.DataFrame:
        """Rows without those that the schema of their type refuses; of types with a schema alone."""
        import polars as pl

        target = self._target
        with target.store.snapshot() as snapshot:
            types = [type for type in rows["type"].unique() if type]
            ruled = [type for type in types if snapshot.document(target.tenant, SCHEMA, type) is not None]
        if not ruled:
            return rows
        wrong: dict[int, str] = {}
        for appends in appends_of(rows.filter(pl.col("type").is_in(ruled)).with_columns(occurrence=0)):
            for refusal in await target.broker.check_history(self._call, appends):
                wrong.setdefault(refusal.instance.row or 0, refusal.error.detail)
        if not wrong:
            return rows
        is_wrong = pl.col("row").is_in(list(wrong))
        refused = rows.filter(is_wrong).select("row", reason=pl.lit("refused by the schema"))
        rejects = [replace(reject, detail=wrong[reject.row]) for reject in self._refused(rows, refused)]
        await asyncio.to_thread(self._reject, rejects)
        return rows.filter(~is_wrong)

    async def _append(self, rows: polars.DataFrame) -> None:
        """Brings rows that are too new for the tables."""
        import polars as pl

        target, call = self._target, self._call
        with target.store.snapshot() as snapshot:
            ids = [id for id in rows["entityId"].unique() if snapshot.history_entity(call.tenant, id) is None]
        unknown = pl.col("entityId").is_in(ids)
        typeless = pl.col("type").is_null().all().over("entityId")
        wrong = rows.filter(unknown & typeless if self._of.make else unknown)
        if wrong.height:
            reason = pl.lit("no type" if self._of.make else "unknown entity")
            refused = wrong.select("row", reason=reason)
            await asyncio.to_thread(self._reject, self._refused(rows, refused))
            rows = rows.join(refused, on="row", how="anti", maintain_order="left")
        for appends in appends_of(rows, self._scopes):
            new = await when_free(partial(target.broker.append_history, call, appends))
            offered = sum(len(append.instances) for append in appends)
            self._report.values_new += sum(new)
            self._report.values_known += offered - sum(new)
        self._report.repeated += rows.filter(pl.col("occurrence") > 0).height
