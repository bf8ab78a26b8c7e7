"""A photo as evidence: what is told of it. The picture itself stands in a folder, see `files`."""

from __future__ import annotations

from msgspec import Struct


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A photo of a case.

    `id` is the SHA-256 of the picture as it is kept. `position` (lon, lat in CRS84 degrees) and
    `taken_at` (local time as the camera wrote it) are what the photo told of itself before that was
    taken from it; `distance` is from there to the case, in metres. `reporter` says that it came with the
    report, from who reported: it goes with their personal data.
    """

    id: str
    media_type: str
    bytes: int
    width: int
    height: int
    position: tuple[float, float] | None = None
    distance: float | None = None
    taken_at: str = ""
    added_at: str
    by: str = ""
    caption: str = ""
    reporter: bool = False
