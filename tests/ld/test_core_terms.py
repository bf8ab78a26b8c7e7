"""The core context of our own layout says what the published documents say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cityloom.ld.core_terms import CORE_URLS, VERSIONS, core_context


def published() -> Path | None:
    """The folder of ETSI's documents: beside the city's data, or beside the checkout."""
    city = os.environ.get("CITYLOOM_CITY_DATA")
    shared = Path(city).parent if city else Path(__file__).resolve().parents[2].parent / "shared"
    folder = shared / "ngsi-ld" / "core-contexts"
    return folder if folder.is_dir() else None


@pytest.mark.parametrize("version", VERSIONS)
def test_core_context_equals_the_published_document(version: str) -> None:
    folder = published()
    if folder is None:
        pytest.skip("ETSI's core contexts are not here (looked beside the city's data and ../shared)")
    document = json.loads((folder / f"ngsi-ld-core-context-v{version}.jsonld").read_text())
    assert core_context(version) == document["@context"]


def test_core_urls_name_every_version_and_the_unversioned_address() -> None:
    assert set(CORE_URLS.values()) == set(VERSIONS)
    assert CORE_URLS["https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"] == VERSIONS[-1]
