"""JSON-LD 1.1 context processing: from context documents to term definitions.

All remote documents are at hand when this runs (`contexts` gathers them), so
it is plain computation.

Source: JSON-LD 1.1 Processing Algorithms and API, clauses 4.1 (context
processing), 4.2 (create term definition) and 5.2.2 (IRI expansion);
ETSI GS CIM 009 clauses 4.4 and 5.5.7 for what differs: no scoped contexts,
and the core context has precedence wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import urljoin

from msgspec import Struct

from cityloom.ld.core_terms import CORE_URL, CORE_URLS, core_context
from cityloom.ld.limits import Limits
from cityloom.model.errors import BadRequestData

Load = Callable[[str], Any]
"""Gives the `@context` of a remote document by its absolute URL."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS: Final = _words(
    "@base @container @context @direction @graph @id @import @included @index @json @language @list @nest"
    " @none @prefix @propagate @protected @reverse @set @type @value @version @vocab"
)
_DEFINITION_KEYS: Final = _words(
    "@container @direction @id @index @language @nest @prefix @protected @reverse @type"
)
_CONTAINERS: Final = _words("@graph @id @index @language @list @set @type")
_CONTEXT_ENTRIES: Final = _words("@base @direction @import @language @propagate @protected @version @vocab")
_KEYWORD_LIKE: Final = re.compile(r"@[A-Za-z]+")
_ABSOLUTE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*|_):\S*")
_LOOKS_LIKE_IRI: Final = re.compile(r".*(?::[^:]|/)", re.DOTALL)


class Definition(Struct, frozen=True, kw_only=True):
    """What one term means; `iri` None hides the term. `language` and `direction` "" mean none at all."""

    iri: str | None
    prefix: bool = False
    coercion: str | None = None
    container: tuple[str, ...] = ()
    language: str | None = None
    direction: str | None = None
    reverse: bool = False
    protected: bool = False

    def means_the_same(self, other: Definition) -> bool:
        """Whether two definitions differ in nothing but their protection."""
        return (self.iri, self.prefix, self.coercion, self.container, self.language, self.reverse) == (
            other.iri,
            other.prefix,
            other.coercion,
            other.container,
            other.language,
            other.reverse,
        )


class ActiveContext:
    """The state that processing builds up: term definitions and defaults."""

    def __init__(self) -> None:
        self.terms: dict[str, Definition] = {}
        self.vocab: str | None = None
        self.base: str | None = None
        self.language: str | None = None


def is_absolute(iri: str) -> bool:
    """Whether a string has the form of an absolute IRI or a blank node."""
    return _ABSOLUTE.fullmatch(iri) is not None


def process(local: Any, load: Load, limits: Limits) -> ActiveContext:
    """Processes a context, then the core context over it.

    Args:
        local: the value of an `@context`: a URL, an object, null, or an array of these.

    Raises:
        BadRequestData: the context is invalid, scoped, or over a limit.
    """
    active = ActiveContext()
    _Processing(active, load, limits).add(local, "", ())
    # The core's definitions are made of its own alone, so they can be laid over what is there.
    core = _core()
    active.terms.update(core.terms)
    active.vocab = core.vocab
    return active


@cache
def _core() -> ActiveContext:
    active = ActiveContext()
    _Processing(active, core_of, Limits()).add(CORE_URL, "", ())
    return active


def core_of(url: str) -> Any:
    """The context of one of the core's published addresses."""
    return core_context(CORE_URLS[url])


class _Processing:
    """One run over a context and what it refers to."""

    def __init__(self, active: ActiveContext, load: Load, limits: Limits) -> None:
        self.active = active
        self.load = load
        self.limits = limits

    def add(self, local: Any, base: str, chain: tuple[str, ...]) -> None:
        """Adds a context; `chain` are the URLs of the remote documents it stands in."""
        for part in local if isinstance(local, list) else [local]:
            if part is None:
                self._reset()
            elif isinstance(part, str):
                self._add_remote(part, base, chain)
            elif isinstance(part, dict):
                self._add_object(part, base, chain)
            else:
                raise _invalid("it holds neither URLs nor objects")

    def _reset(self) -> None:
        if any(definition.protected for definition in self.active.terms.values()):
            raise _invalid("null cannot undo protected terms")
        self.active.terms.clear()
        self.active.vocab = self.active.base = self.active.language = None

    def _add_remote(self, reference: str, base: str, chain: tuple[str, ...]) -> None:
        url = urljoin(base, reference)
        if url in chain:
            raise _invalid(f"{url} refers to itself")
        if len(chain) >= self.limits.context_depth:
            raise _invalid(f"its documents refer to each other deeper than {self.limits.context_depth}")
        context = core_of(url) if url in CORE_URLS else self.load(url)
        self.add(context, url, (*chain, url))

    def _add_object(self, context: dict[str, Any], base: str, chain: tuple[str, ...]) -> None:
        if "@import" in context:
            context = self._imported(context, base)
        if "@version" in context and context["@version"] != 1.1:
            raise _invalid("@version is not 1.1")
        for entry in ("@propagate", "@protected"):
            if not isinstance(context.get(entry, False), bool):
                raise _invalid(f"{entry} is not a boolean")
        if context.get("@direction") not in (None, "ltr", "rtl"):
            raise _invalid("@direction is neither ltr, rtl nor null")
        if "@base" in context and not chain:
            self._set_base(context["@base"])
        if "@vocab" in context:
            self._set_vocab(context["@vocab"])
        if "@language" in context:
            language = context["@language"]
            if language is not None and not isinstance(language, str):
                raise _invalid("@language is neither a string nor null")
            self.active.language = language.lower() if language else None
        # Protection is the core's own here; where users repeat the core it must not bind them to errors.
        protect = bool(context.get("@protected")) and not (chain and chain[-1] in CORE_URLS)
        definer = _Definer(self, context, protect)
        for term in context:
            if term not in _CONTEXT_ENTRIES:
                definer.define(term)
        if len(self.active.terms) > self.limits.context_terms:
            raise _invalid(f"it has more than {self.limits.context_terms} terms")

    def _imported(self, context: dict[str, Any], base: str) -> dict[str, Any]:
        reference = context["@import"]
        if not isinstance(reference, str):
            raise _invalid("@import is not a string")
        url = urljoin(base, reference)
        imported = core_of(url) if url in CORE_URLS else self.load(url)
        if not isinstance(imported, dict) or "@import" in imported:
            raise _invalid(f"@import of {reference} is not a single context object")
        merged = {**imported, **context}
        del merged["@import"]
        return merged

    def _set_base(self, base: Any) -> None:
        if base is not None and not isinstance(base, str):
            raise _invalid("@base is neither a string nor null")
        self.active.base = None if base is None else urljoin(self.active.base or "", base)

    def _set_vocab(self, vocab: Any) -> None:
        if vocab is None:
            self.active.vocab = None
        elif isinstance(vocab, str):
            expanded = expand_iri(self.active, vocab)
            if expanded is None or (expanded and not is_absolute(expanded)):
                raise _invalid("@vocab is not an IRI")
            self.active.vocab = expanded
        else:
            raise _invalid("@vocab is neither a string nor null")


class _Definer:
    """Defines the terms of one context object, each after those that it is made of."""

    def __init__(self, processing: _Processing, local: dict[str, Any], protect: bool) -> None:
        self.active = processing.active
        self.limits = processing.limits
        self.local = local
        self.protect = protect
        self.done: dict[str, bool] = {}

    def define(self, term: str) -> None:
        """Creates the definition of one term of the context object."""
        state = self.done.get(term)
        if state:
            return
        if state is False:
            raise _invalid(f"the term {term!r} is defined by itself")
        if len(self.done) > self.limits.context_terms:
            raise _invalid(f"it has more than {self.limits.context_terms} terms")
        self.done[term] = False
        value = self.local[term]
        if _is_keyword_term(term, value):
            previous = self.active.terms.pop(term, None)
            definition = self._definition(term, value)
            if definition is None:
                if previous is not None:
                    self.active.terms[term] = previous
            else:
                self.active.terms[term] = self._guarded(term, previous, definition)
        self.done[term] = True

    def _guarded(self, term: str, previous: Definition | None, definition: Definition) -> Definition:
        if previous is None or not previous.protected:
            return definition
        if not previous.means_the_same(definition):
            raise _invalid(f"the term {term!r} is protected and cannot be defined again")
        return previous

    def expand(self, value: str) -> str | None:
        """Expands a term or compact IRI, defining what it is made of first."""
        if value in KEYWORDS:
            return value
        if _KEYWORD_LIKE.fullmatch(value):
            return None
        if value in self.local and not self.done.get(value):
            self.define(value)
        prefix, colon, suffix = value.partition(":")
        if (
            colon
            and prefix not in ("", "_")
            and not suffix.startswith("//")
            and prefix in self.local
            and not self.done.get(prefix)
            and value not in self.active.terms
        ):
            self.define(prefix)
        return expand_iri(self.active, value)

    def _definition(self, term: str, value: Any) -> Definition | None:
        """The definition of a term; None when JSON-LD says to ignore it."""
        simple = value is None or isinstance(value, str)
        parts = {"@id": value} if simple else value
        if not isinstance(parts, dict):
            raise _invalid(f"the term {term!r} is neither a string, an object nor null")
        if "@context" in parts:
            raise _invalid(f"the term {term!r} has a scoped @context, which is not allowed")
        for key in parts:
            if key not in _DEFINITION_KEYS:
                raise _invalid(f"the term {term!r} has the member {key!r}")
        if "@reverse" in parts:
            return self._reverse(term, parts)
        if "@id" in parts and parts["@id"] is None:
            return Definition(iri=None, protected=self._protected(parts))
        iri, prefix = self._iri_of(term, parts, simple)
        if iri is None:
            return None
        if iri == "@context":
            raise _invalid(f"the term {term!r} is an alias of @context")
        container = _container(term, parts)
        coercion = self._coercion(term, parts, container)
        if "@prefix" in parts:
            if not isinstance(parts["@prefix"], bool) or ":" in term or "/" in term or iri in KEYWORDS:
                raise _invalid(f"@prefix of the term {term!r} is invalid")
            prefix = parts["@prefix"]
        _check_rest(term, parts, container)
        return Definition(
            iri=iri,
            prefix=prefix,
            coercion=coercion,
            container=container,
            language=_language(term, parts),
            direction=(parts["@direction"] or "") if "@direction" in parts else None,
            protected=self._protected(parts),
        )

    def _protected(self, parts: dict[str, Any]) -> bool:
        protected = parts.get("@protected", self.protect)
        if not isinstance(protected, bool):
            raise _invalid("@protected is not a boolean")
        return protected

    def _reverse(self, term: str, parts: dict[str, Any]) -> Definition | None:
        reverse = parts["@reverse"]
        if "@id" in parts or "@nest" in parts or not isinstance(reverse, str):
            raise _invalid(f"@reverse of the term {term!r} is invalid")
        if _KEYWORD_LIKE.fullmatch(reverse):
            return None
        iri = self.expand(reverse)
        container = _container(term, parts)
        if iri is None or not is_absolute(iri) or not set(container) <= {"@index", "@set"}:
            raise _invalid(f"@reverse of the term {term!r} is invalid")
        coercion = self._coercion(term, parts, container)
        return Definition(
            iri=iri, coercion=coercion, container=container, reverse=True, protected=self._protected(parts)
        )

    def _iri_of(self, term: str, parts: dict[str, Any], simple: bool) -> tuple[str | None, bool]:
        """The IRI of a term and whether the term may be a prefix."""
        given = parts.get("@id", term)
        if not isinstance(given, str):
            raise _invalid(f"@id of the term {term!r} is not a string")
        if given != term:
            if given not in KEYWORDS and _KEYWORD_LIKE.fullmatch(given):
                return None, False
            iri = self.expand(given)
            if iri is None or not (iri in KEYWORDS or is_absolute(iri)):
                raise _invalid(f"@id of the term {term!r} is not an IRI")
            if _LOOKS_LIKE_IRI.match(term):
                self.done[term] = True
                if self.expand(term) != iri:
                    raise _invalid(f"the term {term!r} looks like another IRI than its own")
            ends = iri[-1:] in tuple(":/?#[]@") or iri.startswith("_:")
            return iri, simple and ":" not in term[1:] and ends
        prefix, colon, suffix = term.partition(":")
        if colon and prefix:
            if prefix in self.local and not self.done.get(prefix):
                self.define(prefix)
            parent = self.active.terms.get(prefix)
            return (term if parent is None or parent.iri is None else parent.iri + suffix), False
        if term == "@type":
            return term, False
        if self.active.vocab is None:
            raise _invalid(f"the term {term!r} has no @id and there is no @vocab")
        return self.active.vocab + term, False

    def _coercion(self, term: str, parts: dict[str, Any], container: tuple[str, ...]) -> str | None:
        if "@type" not in parts:
            return "@id" if "@type" in container else None
        given = parts["@type"]
        if not isinstance(given, str):
            raise _invalid(f"@type of the term {term!r} is not a string")
        coercion = self.expand(given)
        if coercion not in ("@id", "@vocab", "@json", "@none") and (
            coercion is None or not is_absolute(coercion) or coercion.startswith("_:")
        ):
            raise _invalid(f"@type of the term {term!r} is not an IRI")
        if "@type" in container and coercion not in ("@id", "@vocab"):
            raise _invalid(f"@type of the term {term!r} does not go with its @container")
        return coercion


def expand_iri(active: ActiveContext, value: str) -> str | None:
    """Expands a term, compact IRI or vocabulary-relative name; None where the context hides it."""
    if value in KEYWORDS:
        return value
    if value[:1] == "@" and _KEYWORD_LIKE.fullmatch(value):
        return None
    definition = active.terms.get(value)
    if definition is not None:
        return definition.iri
    prefix, colon, suffix = value.partition(":")
    if colon and prefix:
        if prefix == "_" or suffix.startswith("//"):
            return value
        parent = active.terms.get(prefix)
        if parent is not None and parent.prefix and parent.iri is not None:
            return parent.iri + suffix
        if is_absolute(value):
            return value
    return value if active.vocab is None else active.vocab + value


def _is_keyword_term(term: str, value: Any) -> bool:
    """Whether a term is to be defined: False for one that is ignored.

    Raises:
        BadRequestData: it is a keyword, or empty.
    """
    if term == "@type":
        if (
            isinstance(value, dict)
            and value
            and value.get("@container", "@set") == "@set"
            and set(value) <= {"@container", "@id", "@protected"}
        ):
            return True
        raise _invalid("@type cannot be defined again")
    if term in KEYWORDS:
        raise _invalid(f"{term} cannot be defined again")
    if not term:
        raise _invalid("a term is empty")
    return _KEYWORD_LIKE.fullmatch(term) is None


def _container(term: str, parts: dict[str, Any]) -> tuple[str, ...]:
    given = parts.get("@container", [])
    listed = given if isinstance(given, list) else [given]
    kinds = {kind for kind in listed if isinstance(kind, str)}
    rest = kinds - {"@set"}
    if (
        len(kinds) != len(listed)
        or not kinds <= _CONTAINERS
        or ("@list" in kinds and len(kinds) > 1)
        or ("@graph" in kinds and not rest <= {"@graph", "@id", "@index"})
        or ("@graph" not in kinds and len(rest) > 1)
    ):
        raise _invalid(f"@container of the term {term!r} is invalid")
    return tuple(sorted(kinds))


def _language(term: str, parts: dict[str, Any]) -> str | None:
    if "@language" not in parts or "@type" in parts:
        return None
    language = parts["@language"]
    if language is not None and not isinstance(language, str):
        raise _invalid(f"@language of the term {term!r} is neither a string nor null")
    return language.lower() if language else ""


def _check_rest(term: str, parts: dict[str, Any], container: tuple[str, ...]) -> None:
    if parts.get("@direction") not in (None, "ltr", "rtl"):
        raise _invalid(f"@direction of the term {term!r} is neither ltr, rtl nor null")
    index = parts.get("@index", "")
    if not isinstance(index, str) or index.startswith("@") or (index and "@index" not in container):
        raise _invalid(f"@index of the term {term!r} is invalid")
    nest = parts.get("@nest", "@nest")
    if not isinstance(nest, str) or (nest != "@nest" and nest.startswith("@")):
        raise _invalid(f"@nest of the term {term!r} is invalid")


def _invalid(why: str) -> BadRequestData:
    return BadRequestData(f"@context is invalid: {why}")
