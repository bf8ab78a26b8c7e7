"""The folder of photos: each checked, stripped of what it tells of its maker, and kept by its content.

A photo is written and made durable before the case names it, so a case never names what is
not there; a photo that no case names is left over where a process died in between, until `erasing` finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from PIL import Image, ImageOps, UnidentifiedImageError

from cityloom.model.errors import BadRequestData, PayloadTooLarge, ResourceNotFound, UnsupportedMediaType

MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SUFFIX: Final = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_NEW: Final = ".new-"
_ID: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_SIDE: Final = 4096
"""Pixels; a larger photo is made smaller."""
_GPS, _EXIF = 0x8825, 0x8769
_TAKEN: Final = 0x9003
_TAKEN_FORM: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")


class Photo(Struct, frozen=True, kw_only=True):
    """A photo as it was kept; `id` is its SHA-256. `position` is lon, lat in CRS84 degrees."""

    id: str
    media_type: str
    bytes: int
    width: int
    height: int
    position: tuple[float, float] | None = None
    taken_at: str = ""


class EvidenceFiles:
    """Photos in a folder, by content.

    Args:
        folder: is made with the first photo.
        most_bytes: the largest file that is taken.
        most_pixels: the largest picture, in pixels; told by its head, before it is unpacked.
    """

    def __init__(self, folder: Path, *, most_bytes: int, most_pixels: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._most_pixels = most_pixels
        self._working = asyncio.Semaphore(1)

    async def keep(self, data: bytes) -> Photo:
        """Checks a photo and keeps it, durably.

        Raises:
            UnsupportedMediaType: it is neither JPEG, PNG nor WebP.
            PayloadTooLarge: it has too many bytes or pixels.
            BadRequestData: it is broken.

        Cost: unpacks the picture and packs it again, in a thread, one at a time: some 10 ns a pixel.
        """
        if len(data) > self.most_bytes:
            raise PayloadTooLarge(f"the photo is larger than {self.most_bytes} bytes")
        async with self._working:
            return await asyncio.to_thread(self._keep, data)

    def path(self, id: str, media_type: str) -> Path:
        """Where a photo stands. Raises ResourceNotFound."""
        path = self._place(id, media_type) if _ID.fullmatch(id) and media_type in _SUFFIX else None
        if path is None or not path.is_file():
            raise ResourceNotFound(f"photo {id[:64]!r} does not exist")
        return path

    def holds(self, photo: Photo) -> bool:
        """Whether a photo that was kept is still there."""
        return self._place(photo.id, photo.media_type).is_file()

    def remove(self, id: str, media_type: str) -> bool:
        """Takes a photo away, durably; False where it was gone."""
        path = self._place(id, media_type)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        _sync(path.parent)
        return True

    def older_than(self, at: int) -> list[tuple[str, str]]:
        """(id, media type) of the photos that were written before `at` (microseconds).

        What an upload that old was writing when it was cut off is taken away.
        """
        media_types = {suffix: media_type for media_type, suffix in _SUFFIX.items()}
        found: list[tuple[str, str]] = []
        for path in self.folder.glob("*/*"):
            try:
                written = path.stat().st_mtime_ns // 1000
            except FileNotFoundError:
                continue
            if written >= at:
                continue
            if path.name.startswith(_NEW):
                path.unlink(missing_ok=True)
            elif _ID.fullmatch(path.stem) and path.suffix in media_types:
                found.append((path.stem, media_types[path.suffix]))
        return found

    def _keep(self, data: bytes) -> Photo:
        photo, clean = read_photo(data, self._most_pixels)
        path = self._place(photo.id, photo.media_type)
        if path.exists():
            return photo
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_NEW)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(clean)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        for folder in (path.parent, self.folder, self.folder.parent):
            _sync(folder)
        return photo

    def _place(self, id: str, media_type: str) -> Path:
        return self.folder / id[:2] / (id + _SUFFIX[media_type])


def read_photo(data: bytes, most_pixels: int) -> tuple[Photo, bytes]:
    """Checks a photo; what it is, and its bytes without anything but the picture.

    Raises:
        UnsupportedMediaType, PayloadTooLarge, BadRequestData: see `EvidenceFiles.keep`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=list(MEDIA_TYPES))
            if image.width * image.height > most_pixels:
                raise PayloadTooLarge(
                    f"the photo has {image.width} x {image.height} pixels, more than {most_pixels}"
                )
            kind = image.format or ""
            exif = image.getexif()
            position, taken = _position(exif), _taken(exif)
            image.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            image.load()
    except UnidentifiedImageError:
        raise UnsupportedMediaType("the photo is neither JPEG, PNG nor WebP") from None
    except Image.DecompressionBombError:
        raise PayloadTooLarge(f"the photo has more than {most_pixels} pixels") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        TypeError,
        IndexError,
        KeyError,
        ZeroDivisionError,
    ) as error:
        raise BadRequestData(f"the photo is invalid: it cannot be read: {error}") from None
    clean = ImageOps.exif_transpose(image)
    clean.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    if kind == "JPEG" or clean.mode not in ("RGB", "RGBA", "L"):
        clean = clean.convert("RGB" if kind == "JPEG" or "A" not in clean.getbands() else "RGBA")
    bare = Image.frombytes(clean.mode, clean.size, clean.tobytes())
    written = io.BytesIO()
    options: dict[str, Any] = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}}.get(kind, {})
    bare.save(written, kind, **options)
    packed = written.getvalue()
    photo = Photo(
        id=hashlib.sha256(packed).hexdigest(),
        media_type=MEDIA_TYPES[kind],
        bytes=len(packed),
        width=bare.width,
        height=bare.height,
        position=position,
        taken_at=taken,
    )
    return photo, packed


def _position(exif: Image.Exif) -> tuple[float, float] | None:
    """Lon, lat as the camera wrote them; None where they are missing or no position."""
    gps = exif.get_ifd(_GPS)
    try:
        lat, lon = _degrees(gps[2]), _degrees(gps[4])
        lat = -lat if str(gps.get(1, "N")).upper().startswith("S") else lat
        lon = -lon if str(gps.get(3, "E")).upper().startswith("W") else lon
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90) or (lon, lat) == (0.0, 0.0):
        return None
    return round(lon, 7), round(lat, 7)


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _taken(exif: Image.Exif) -> str:
    """Local time as the camera wrote it, ISO 8601 without a zone; "" where it wrote none."""
    match = _TAKEN_FORM.fullmatch(str(exif.get_ifd(_EXIF).get(_TAKEN, "")))
    return "" if match is None else f"{match[1]}-{match[2]}-{match[3]}T{match[4]}"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
