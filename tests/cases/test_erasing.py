"""Photos go with the personal data of who reported, also after a kill; drafts go, and what is left over."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cases.test_kept import events, followed
from cases.town import MONDAY, Town, town, until
from cityloom.access.keys import KeyAccess, Keys
from cityloom.cases.desk.wishes import MoveWish, Report, Reporter
from cityloom.cases.keep.files import EvidenceFiles, Photo
from cityloom.cases.keep.kept import EVIDENCE
from cityloom.model.clock import SimulatedClock
from cityloom.model.errors import Forbidden, ResourceNotFound
from tests.postgres import server

STORES = ("sqlite", "postgres")
ADA = Reporter(name="Ada", phone="555 0100")


def photo(shade: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(written, "PNG")
    return written.getvalue()


def files(place: Town) -> set[str]:
    return {path.stem for path in place.files.folder.glob("*/*.*")}


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path, url=server().database() if request.param == "postgres" else "") as found:
        yield found


async def reported(place: Town) -> tuple[str, str, str]:
    """A case with a photo of who reported it, and one of a department; (case, theirs, the department's)."""
    case = await place.report(reporter=ADA)
    theirs = (await place.cases.add_photo(place.call(), case, photo(1))).id
    await place.move(case, "accept")
    await place.move(case, "file", condition="light-out")
    await place.move(case, "dispatch", department="lighting")
    done = (await place.cases.add_photo(place.call("department:lighting"), case, photo(2))).id
    return case, theirs, done


async def test_the_reporters_photos_go_with_their_data(place: Town) -> None:
    async with followed(place):
        case, theirs, done = await reported(place)
        other, _, _ = await reported(place)
        assert files(place) == {theirs, done}
        await place.broker.personal.erase(place.call("officer"), case)
        whole = await place.cases.show(place.call(), case)
        assert [one.id for one in whole.evidence] == [done]
        with pytest.raises(ResourceNotFound):
            await place.cases.photo(place.call(), case, theirs)
        gone = [event for event in events(place) if event.kind == "documentDeleted"]
        assert [(event.document_kind, event.entity_id) for event in gone] == [
            (EVIDENCE, f"{case}:evidence:{theirs}")
        ]
        await place.followed.erasing.sweep()
        assert files(place) == {theirs, done}  # the other case has the same picture
        await place.broker.personal.erase(place.call("officer"), other)
        await until(lambda: files(place) == {done})
        with pytest.raises(ResourceNotFound):
            await place.broker.personal.erase(place.call("officer"), other)
        readings = await place.broker.personal.readings(place.call("officer"), case)
        assert [one["action"] for one in readings] == ["erase"]
        # A picture that is brought again is kept again.
        again = await place.cases.add_photo(place.call("department:lighting"), case, photo(1))
        assert again.id == theirs
        await place.followed.erasing.sweep()
        assert files(place) == {theirs, done}


async def test_a_photo_without_a_name_is_erased_too(place: Town) -> None:
    case = await place.report()
    await place.cases.add_photo(place.call(), case, photo(1))
    await place.broker.personal.erase(place.call("officer"), case)
    await place.followed.erasing.sweep()
    assert files(place) == set()


@pytest.mark.parametrize(("store", "works"), [("sqlite", 1), ("sqlite", 2), ("postgres", 2)])
async def test_killed_in_between_all_of_it_goes_or_nothing(tmp_path: Path, store: str, works: int) -> None:
    """In the work that erases, and in that which takes the file away."""
    url = server().database() if store == "postgres" else ""
    with town(tmp_path, clock=SimulatedClock(MONDAY), url=url) as place:
        case, theirs, done = await reported(place)
    script = Path(__file__).with_name("erasing_process.py")
    paths = [str(script.parents[1]), str(script.parents[2]), os.environ.get("PYTHONPATH", "")]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        str(tmp_path),
        url,
        case,
        str(works),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    async with asyncio.timeout(60):
        assert await process.wait() == -signal.SIGKILL
    with town(tmp_path, clock=SimulatedClock(MONDAY), url=url) as place:
        told = {one.id for one in (await place.cases.show(place.call(), case)).evidence}
        with place.store.snapshot() as snapshot:
            assert snapshot.get("", case) is not None
        erased = works > 1
        assert told == ({done} if erased else {theirs, done})
        await place.followed.erasing.sweep()
        assert files(place) == told
        if not erased:
            assert await place.cases.reporter(place.call("", "call back"), case, role="intake")
        deleted = [event for event in events(place) if event.kind == "documentDeleted"]
        assert len(deleted) == erased


async def test_what_an_upload_left_over_goes_when_it_is_old(place: Town) -> None:
    case = await place.report()
    kept = (await place.cases.add_photo(place.call(), case, photo(1))).id
    left = (await place.files.keep(photo(2))).id
    young = (await place.files.keep(photo(3))).id
    cut = place.files.folder / left[:2] / ".new-abc"
    cut.write_bytes(b"half")
    strange = place.files.folder / left[:2] / "notes.txt"
    strange.write_bytes(b"somebody else's")
    hours = MONDAY / 1e6 - 2 * 3600
    for path in place.files.folder.glob("*/*"):
        if path.stem != young:
            os.utime(path, (hours, hours))
    await place.followed.erasing.sweep()
    assert files(place) - {"notes"} == {kept, young}
    assert not cut.exists()
    assert strange.exists()


class Losing(EvidenceFiles):
    """Takes a photo away once, after it was kept: as an erasure in between does."""

    lost = False

    async def keep(self, data: bytes) -> Photo:
        photo = await super().keep(data)
        if not self.lost:
            self.lost = self.remove(photo.id, photo.media_type)
        return photo


async def test_a_case_never_names_a_photo_that_went_in_between(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        place.cases.files = Losing(tmp_path / "evidence", most_bytes=10**6, most_pixels=10**6)
        case = await place.report()
        found = await place.cases.add_photo(place.call(), case, photo(1))
        assert place.cases.files.lost
        assert files(place) == {found.id}


async def test_a_draft_that_nobody_reports_goes_with_all_that_it_held(place: Town) -> None:
    async with followed(place):
        left = await place.report(draft=True, reporter=ADA)
        used = await place.report(draft=True, reporter=ADA)
        for case in (left, used):
            await place.cases.add_photo(place.call(), case, photo(1 if case == left else 2))
        await place.move(used, "report", role="citizen")
        await place.move(used, "accept")
        place.clock.advance(6 * 86_400)
        place.cases.timer_set.set()
        await asyncio.sleep(0.1)
        assert (await place.cases.status(place.call(), left)).state == "draft"
        place.clock.advance(86_401)
        place.cases.timer_set.set()

        def gone() -> bool:
            with place.store.snapshot() as snapshot:
                return snapshot.get("", left) is None

        await until(gone)
        await until(lambda: len(files(place)) == 1)
        with pytest.raises(ResourceNotFound):
            await place.cases.show(place.call(), left)
        with pytest.raises(ResourceNotFound):
            await place.broker.personal.read(place.call("officer", "why"), left)
        assert (await place.cases.show(place.call(), used)).seen == 2
        told = [event for event in events(place) if event.kind == "entityDeleted"]
        assert [(event.entity_id, event.cause.operation) for event in told] == [(left, "forgetDraft")]


async def test_someone_without_a_role_leaves_no_draft_and_sees_none(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json", SimulatedClock(MONDAY))
    keys.add("patrol", "writer", [], ["collector"])
    keys.add("app", "writer", [])
    access = KeyAccess(keys, open_node=False, public_read=False, public_report=True)
    with town(tmp_path / "city", access=access) as place:
        for call in (place.call(), place.call("app")):
            with pytest.raises(Forbidden, match="without a role in cases nobody can report it later"):
                await place.cases.report(call, Report(type="street-light", draft=True))
        assert events(place) == []
        draft = (
            await place.cases.report(
                place.call("patrol"), Report(type="street-light", draft=True, role="collector")
            )
        ).id
        for call in (place.call(), place.call("app")):
            with pytest.raises(ResourceNotFound):
                await place.cases.status(call, draft)
            with pytest.raises(ResourceNotFound):
                await place.cases.add_photo(call, draft, photo(1))
        await place.cases.move(place.call("patrol"), draft, MoveWish(move="report", seen=0, role="collector"))
        assert (await place.cases.status(place.call(), draft)).state == "reported"
