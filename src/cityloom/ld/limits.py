"""How large the things that come in may be."""

from __future__ import annotations

from msgspec import Struct

from cityloom.model.settings import Settings


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of documents and contexts; a document over one of them is refused whole.

    `depth` counts nested objects and arrays of one entity, `attributes` its attribute
    instances, types or scopes (of an evolution its attributes), `string` characters
    of one string, `url` characters of an id, name or URL, `vertices` positions
    of one geometry; `contexts` remote documents behind one `@context`,
    `context_depth` how deep they may refer to each other, `context_terms` the
    terms of one compiled context, `context_bytes` the size of one document.
    """

    depth: int = 64
    attributes: int = 10_000
    string: int = 1_000_000
    url: int = 8_192
    vertices: int = 200_000
    contexts: int = 32
    context_depth: int = 8
    context_terms: int = 20_000
    context_bytes: int = 4 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def limits_of(settings: Settings) -> Limits:
    """The bounds that a node's settings give."""
    return Limits(
        depth=settings.max_depth,
        attributes=settings.max_attributes,
        string=settings.max_string,
        url=settings.max_url,
        vertices=settings.max_vertices,
    )
