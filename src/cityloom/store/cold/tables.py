"""The Delta table of instances: its versions, how rows get in, and where they are.

Every commit carries the number of its change as an application transaction of
the city's own id, so that a table tells whose it is and how far it has come.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from cityloom.model.errors import ConfigurationError, HistoryUnreachable, StoreFailed
from cityloom.store.cold.files import Kept, differs, secure
from cityloom.store.cold.schema import COLUMNS, PARTITIONS, ROW_GROUP

if TYPE_CHECKING:
    import deltalake
    import polars

LOG: Final = "_delta_log"
_POINTER: Final = "_last_checkpoint"
TABLE: Final = "instances"
"""The table's folder below the place of the tables."""
_BRING_BACK: Final = "bring it back from a backup (cityloom doctor --deep tells of every such file)"
_VERSIONS: Final = 8
"""Versions whose lists of files are remembered: long readers may look at some older one."""
_LEVEL: Final = 6
"""Of zstd: beyond it writing takes longer, and files get hardly smaller."""


class Part(Struct, frozen=True):
    """One file of the table; `first` and `last` are bounds of its entities' ids."""

    uri: str
    tenant: str | None
    month: str
    rows: int
    bytes: int
    first: str | None
    last: str | None

    def may_hold(self, entity_id: str) -> bool:
        """Whether rows of an entity may be in it."""
        if self.first is None or self.last is None:
            return True
        return self.first <= entity_id <= self.last


def _of_environment(url: str) -> str:
    """What it takes to reach object storage."""
    if url.startswith("s3"):
        return (
            "the environment must hold what opens the bucket: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_REGION, and AWS_ENDPOINT_URL where it is not Amazon's"
        )
    return "the environment must hold the credentials that open it"


class Change(Struct, frozen=True):
    """A change of the table: its number, and the version that it is made of (None: there is none yet).

    What somebody else committed since makes its commit fail, so that nothing of theirs becomes part of it.
    """

    number: int
    base: int | None


class ColdTables:
    """The table of instances at one place.

    Args:
        place: a folder, or the URL of one (`s3://`, `gs://`, `az://`); made by the first commit.
            What it takes to reach object storage is read from the environment.
        owner: the city's own id, by which its changes are told.
    """

    def __init__(self, place: str, owner: str) -> None:
        self.place = place
        self.owner = owner
        self.url = f"{place.rstrip('/')}/{TABLE}"
        self.trouble = ""
        """Why the tables could not be read when they were asked last; "" when they could."""
        self._known: OrderedDict[int, list[Part]] = OrderedDict()
        self._compared: set[str] = set()
        self._lock = threading.Lock()

    def files(self, version: int) -> list[Part]:
        """The files of a version. Cost: a read of the log, once for each version.

        Raises:
            HistoryUnreachable: the table cannot be read.
        """
        with self._lock:
            known = self._known.get(version)
        if known is None:
            with self.using("read"):
                known = _parts(self._table(version))
            with self._lock:
                self._known[version] = known
                while len(self._known) > _VERSIONS:
                    self._known.popitem(last=False)
        return known

    def scan(self, parts: Iterable[Part]) -> polars.LazyFrame | None:
        """The rows of some files, without the columns of the partitions; None without files."""
        import polars as pl

        uris = [part.uri for part in parts]
        return pl.scan_parquet(uris, hive_partitioning=False, glob=False) if uris else None

    def names(self, parts: Iterable[Part], *, anew: bool) -> list[str]:
        """The paths below the place of the files that are to be compared: of those that this process has
        not compared yet, or of all `anew`. None in object storage, which minds its own checksums."""
        if "://" in self.place:
            return []
        names = (str(Path(part.uri).relative_to(self.place)) for part in parts)
        return [name for name in names if anew or name not in self._compared]

    def compare(self, kept: Iterable[Kept]) -> None:
        """Compares files with what was written. Cost: a read of each of them.

        Raises:
            HistoryUnreachable: one holds something else, or is missing.
        """
        place = Path(self.place)
        with self.using("read"):
            for one in kept:
                if said := differs(place, one):
                    raise HistoryUnreachable(
                        f"the cold history {self.url} cannot be read: {one.path} {said}; {_BRING_BACK}"
                    )
                self._compared.add(one.path)

    def latest(self) -> int | None:
        """The newest version, whoever made it; None where no table is.

        Raises:
            HistoryUnreachable: the table cannot be read.
            ConfigurationError: it is another city's.
        """
        import deltalake

        with self.using("read"):
            if not deltalake.DeltaTable.is_deltatable(self.url):
                return None
            table = self._table()
            if table.transaction_version(self.owner) is None:
                raise ConfigurationError(
                    f"the cold history {self.url} is invalid: it is another city's; "
                    "name another place with coldUrl"
                )
            return int(table.version())

    def append(self, frame: polars.DataFrame, change: Change) -> int:
        """Adds sorted rows; the version that has them.

        Raises:
            StoreFailed: they could not be written.
        """
        with self.using("written"):
            return self._write(self._table_or_new(change), frame, change, mode="append")

    def replace(self, part: Part, frames: Iterable[polars.DataFrame], change: Change) -> int:
        """Puts frames of sorted rows, a file each, in the place of all rows of `part`'s month.

        A commit for each: the last version alone is whole, and the one to publish.

        Returns:
            That version.

        Raises:
            StoreFailed: they could not be written.
        """
        where = f"{_of_tenant(part.tenant)} AND month = '{part.month}'"
        with self.using("written"):
            table, version = self._table_or_new(change), None
            for frame in frames:
                if frame.height and version is None:
                    version = self._write(table, frame, change, mode="overwrite", predicate=where)
                elif frame.height:
                    # One frame a write: of several, the order would be lost.
                    version = self._write(table, frame, change, mode="append")
            if version is None:
                table.delete(where, commit_properties=self._commit(change))
                version = int(table.version())
            return version

    def forget(self, tenant: str, until: int, change: Change) -> int:
        """Takes out all rows of a tenant that changes up to `until` wrote; the version without them."""
        with self.using("written"):
            table = self._table_or_new(change)
            where = f"{_of_tenant(tenant or None)} AND change <= {until}"
            table.delete(where, commit_properties=self._commit(change))
            return int(table.version())

    def restore(self, version: int, change: Change) -> int:
        """Makes the table again what it was in `version`; the new version that is the same."""
        with self.using("written"):
            table = self._table(change.base)
            table.restore(version, commit_properties=self._commit(change))
            return int(table.version())

    def vacuum(self, keep_hours: int, change: Change) -> tuple[int, int]:
        """Removes files that no version of the last `keep_hours` needs; how many went, and the version.

        It is told in the table's log, as versions of which nothing else is new.
        """
        with self.using("written"):
            table = self._table_or_new(change)
            gone = table.vacuum(
                retention_hours=keep_hours,
                dry_run=False,
                enforce_retention_duration=False,
                commit_properties=self._commit(change),
            )
            self.look_again()
            version = int(table.version())
            if version - (change.base or 0) not in (0, 2):
                raise StoreFailed(f"the cold history {self.url} was changed by somebody else meanwhile")
            return len(gone), version

    def secure(self, version: int, known: Collection[str]) -> list[Kept]:
        """Makes the files of a version durable, but those that are `known` to be; what they hold.

        Nothing is to be done where the tables are in object storage.

        Raises:
            StoreFailed: the disk failed, or a file is not there.
        """
        files = self.local_files(version)
        if not files:
            return []
        place = Path(self.place).absolute()
        with self.using("written"):
            kept = secure(place, ((file.absolute(), name) for file, name in files if name not in known))
            # Where readers begin to read the log. It is written anew, so nothing is kept of it.
            pointer = Path(self.url).absolute() / LOG / _POINTER
            if pointer.exists():
                secure(place, [(pointer, "")])
            return kept

    def drop_after(self, version: int) -> None:
        """Takes away what the log holds of later versions, of which a power cut may have left anything.

        Nobody but this city writes the tables, and it never saw them. Nothing is to be done where the
        tables are in object storage.
        """
        if "://" in self.place:
            return
        log = Path(self.url) / LOG
        with self.using("written"):
            for file in log.glob("*"):
                if file.name == _POINTER or (file.name[:20].isdigit() and int(file.name[:20]) > version):
                    file.unlink()
            if version < 0 and log.exists():
                log.rmdir()
        self.look_again()

    def look_again(self) -> None:
        """Forgets which files versions have: one that never counted may be made anew."""
        with self._lock:
            self._known.clear()

    def local_files(self, version: int) -> list[tuple[Path, str]]:
        """The files that make up a version, each with its path below the place; none where it is a URL."""
        if "://" in self.place:
            return []
        folder = Path(self.url)
        log = [
            file
            for file in sorted(folder.glob(f"{LOG}/*"))
            if file.name[:20].isdigit() and int(file.name[:20]) <= version
        ]
        files = [*log, *(Path(part.uri) for part in self.files(version))]
        return [(file, str(file.relative_to(self.place))) for file in files]

    @contextmanager
    def using(self, what: Literal["read", "written"]) -> Iterator[None]:
        """Tells what goes wrong with the tables in one sentence; what does not, ends `trouble`."""
        reads = what == "read"
        try:
            yield
        except (ConfigurationError, StoreFailed) as error:
            if reads:
                self.trouble = error.detail
            raise
        except Exception as error:  # of two libraries in Rust, with classes of their own for each cause
            reason = str(error).strip().split("\n")[0]
            lost = self._lost()
            if lost is not None:
                reason = f"{lost} is missing; {_BRING_BACK}"
            elif "://" in self.url:
                reason += f"; {_of_environment(self.url)}"
            told = f"the cold history {self.url} cannot be {what}: {reason}"
            if reads:
                self.trouble = told
                raise HistoryUnreachable(told) from error
            raise StoreFailed(told) from error
        if reads:
            self.trouble = ""

    def check(self, counts: int | None, latest: int | None) -> None:
        """Compares the version that counts with the newest that is here; None: there is none.

        Raises:
            HistoryUnreachable: these are not the tables that the city has.
        """
        if counts is None or (latest is not None and latest >= counts):
            return
        self.trouble = (
            f"the cold history of this city is not in {self.url}: coldUrl must say where it is; "
            "nothing was changed"
        )
        raise HistoryUnreachable(self.trouble)

    def _lost(self) -> str | None:
        """A file of the version that was looked at last which went since it was compared, if there is one."""
        with self._lock:
            parts = next(reversed(self._known.values()), [])
        names = self.names(parts, anew=True)
        return next((name for name in names if not (Path(self.place) / name).exists()), None)

    def _table(self, version: int | None = None) -> deltalake.DeltaTable:
        import deltalake

        return deltalake.DeltaTable(self.url, version=version)

    def _table_or_new(self, change: Change) -> deltalake.DeltaTable:
        """The table as the change finds it; it is made, empty, by the first."""
        import deltalake
        from deltalake.schema import PrimitiveType

        if change.base is not None or deltalake.DeltaTable.is_deltatable(self.url):
            return self._table(change.base or 0)
        if "://" not in self.url:
            # As the city's own file: whom else it may concern, the operator decides.
            Path(self.url).mkdir(mode=0o700, parents=True, exist_ok=True)
        fields = [deltalake.Field(column.name, PrimitiveType(column.type)) for column in COLUMNS]
        return deltalake.DeltaTable.create(
            self.url,
            deltalake.Schema(fields),
            partition_by=list(PARTITIONS),
            name="history",
            description="Temporal evolution of a city's entities: one row an instance (Cityloom)",
            commit_properties=self._commit(change),
        )

    def _write(self, table: deltalake.DeltaTable, frame: polars.DataFrame, change: Change, **how: Any) -> int:
        import deltalake

        deltalake.write_deltalake(
            table,
            frame.rechunk(),
            writer_properties=_properties(),
            commit_properties=self._commit(change),
            **how,
        )
        return int(table.version())

    def _commit(self, change: Change) -> deltalake.CommitProperties:
        import deltalake

        # Without another try a commit fails when its version is there already, whatever is in it.
        return deltalake.CommitProperties(
            app_transactions=[deltalake.Transaction(self.owner, change.number)], max_commit_retries=0
        )


def _properties() -> deltalake.WriterProperties:
    import deltalake

    packed = deltalake.ColumnProperties(dictionary_enabled=False, encoding="DELTA_BINARY_PACKED")
    return deltalake.WriterProperties(
        compression="ZSTD",
        compression_level=_LEVEL,
        max_row_group_size=ROW_GROUP,
        column_properties={column.name: packed for column in COLUMNS if column.packed},
    )


def _parts(table: deltalake.DeltaTable) -> list[Part]:
    import polars as pl

    adds = pl.DataFrame(table.get_add_actions(flatten=True))
    if adds.is_empty():
        return []
    uris = {uri.rsplit("/", 1)[1]: uri for uri in table.file_uris()}
    return [
        Part(
            uris[add["path"].rsplit("/", 1)[1]],
            add["tenant"],
            add["month"],
            add["rows"],
            add["bytes"],
            add["first"],
            add["last"],
        )
        for add in adds.select(
            "path",
            tenant="partition.tenant",
            month="partition.month",
            rows="num_records",
            bytes="size_bytes",
            first="min.entityId",
            last="max.entityId",
        ).iter_rows(named=True)
    ]


def _of_tenant(tenant: str | None) -> str:
    if tenant is None:
        return "tenant IS NULL"
    quoted = tenant.replace("'", "''")
    return f"tenant = '{quoted}'"
