"""Where the OGC APIs stand, and how whoever asks reaches this node."""

from __future__ import annotations

import re
from typing import Final

from cityloom.model.settings import Settings
from cityloom.web.headers import Headers

OGC_ROOT: Final = "/ogc"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


def origin_of(settings: Settings, headers: Headers) -> str:
    """How the caller reaches the node: the setting `publicUrl`, else the host that was asked."""
    host = headers.get("host", "")
    if settings.public_url or _HOST.fullmatch(host) is None:
        return settings.url
    return f"http://{host}"
