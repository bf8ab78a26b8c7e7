"""The generator as a whole: the same bytes for the same seed, and clear refusals."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sample_files import write_city

from cityloom.model.errors import AlreadyExists, BadRequestData
from cityloom.sample import generate


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_generate_writes_the_same_bytes_for_the_same_seed(tmp_path):
    generate(tmp_path / "one", seed=5)
    generate(tmp_path / "two", seed=5)

    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")


def test_generate_writes_another_city_for_another_seed(tmp_path):
    generate(tmp_path / "one", seed=5)
    generate(tmp_path / "two", seed=6)

    one, two = _digests(tmp_path / "one"), _digests(tmp_path / "two")
    same = {name for name in one if one[name] == two.get(name)}
    constant = ("agency.txt", "calendar.txt", "feed_info.txt")
    assert {name for name in same if not name.endswith(constant)} == set()


def test_generate_reports_the_promised_size(city):
    report = city.report

    assert sum(report.entities.values()) == 2_500
    assert 55_000 <= report.instances <= 100_000
    assert report.rows["requests/service_requests.csv.gz"] == report.entities["Open311ServiceRequest"]
    assert city.truth["entities"] == report.entities


def test_generate_ends_its_history_at_end(tmp_path):
    city = write_city(tmp_path / "city", 3, end="2026-02-11T04:47:31+01:00")

    assert city.report.end == "2026-02-11T03:47:00Z"
    assert city.report.start == "2026-01-12T03:47:00Z"
    for source in ("air", "rain", "traffic", "lights"):
        stamps = city.readings(source)["stamp"]
        assert f"{stamps.min()}" > "2026-01-12 03:47:00"
        assert f"{stamps.max()}" <= "2026-02-11 03:47:00"
    assert f"{city.readings('air')['stamp'].max()}" == "2026-02-11 03:00:00"


def test_generate_tells_its_progress_from_0_to_1(tmp_path):
    told: list[tuple[str, float]] = []

    generate(tmp_path / "city", seed=1, progress=lambda label, share: told.append((label, share)))

    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_generate_fills_an_empty_folder(tmp_path):
    (tmp_path / "city").mkdir()

    generate(tmp_path / "city", seed=1)

    assert (tmp_path / "city" / "truth.json").is_file()


def test_generate_refuses_a_folder_with_content_and_leaves_it(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(AlreadyExists, match="already exists and is not empty"):
        generate(tmp_path, seed=1)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_generate_starts_anew_after_a_broken_run(tmp_path):
    broken = tmp_path / "city.partial"
    broken.mkdir()
    (broken / "old.csv").write_text("old")

    generate(tmp_path / "city", seed=1)

    assert not broken.exists()
    assert not (tmp_path / "city" / "old.csv").exists()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1, "size": "huge"}, "size"),
        ({"seed": 1, "end": "yesterday"}, "end"),
        ({"seed": 1, "end": "2025-06-30T17:30:00"}, "end"),
        ({"seed": 1, "end": "1850-06-30T17:30:00Z"}, "end"),
    ],
)
def test_generate_names_the_field_when_an_argument_is_invalid(tmp_path, options, field):
    with pytest.raises(BadRequestData, match=f"^{field} is invalid"):
        generate(tmp_path / "city", **options)

    assert list(tmp_path.iterdir()) == []
