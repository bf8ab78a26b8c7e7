"""`LdContext`: a context compiled to a term map that expands and compacts names.

Compiled once and kept; a name looked up again costs one dictionary access.

Source: JSON-LD 1.1 API clauses 5.2 (IRI expansion), 6.1 (inverse context),
6.2 (IRI compaction), 6.3 (term selection); ETSI GS CIM 009 clauses 4.4, 5.5.7.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from cityloom.ld.core_terms import CORE_URL
from cityloom.ld.limits import DEFAULT_LIMITS, Limits
from cityloom.ld.names import is_name, is_uri
from cityloom.ld.processing import ActiveContext, Definition, Load, expand_iri, process
from cityloom.model.entity import DEFAULT_VOCAB
from cityloom.model.errors import BadRequestData

_CACHED_NAMES: Final = 10_000
_CACHED_LENGTH: Final = 500
_PLAIN: Final = ("@set", "@none")
_NODE: Final = ("@id", "@id@set", "@type", "@set@type", "@set", "@none", "@index", "@index@set")
_PREFERRED: Final = ("@id", "@none")


class LdContext:
    """One `@context` with the core context over it.

    `source` is what it was made from (a URL, an object or an array; the core's
    URL when nothing was given): what a response tells as its `@context`. `known_keys` are the names that
    `compact_key` gave so far, by IRI; `words` the members of the standard that keys of attributes
    were found to be.
    """

    core: ClassVar[LdContext]

    def __init__(self, active: ActiveContext, source: Any) -> None:
        self.source = source
        self._active = active
        self._vocab = active.vocab or DEFAULT_VOCAB
        self._prefixes = [
            (definition.iri, term)
            for term, definition in active.terms.items()
            if definition.prefix and definition.iri and ":" not in term
        ]
        inverse = _invert(active)
        self._terms = {iri: term for iri in inverse if (term := _select(inverse[iri], _PLAIN))}
        self._node_terms = {iri: term for iri in inverse if (term := _select(inverse[iri], _NODE))}
        self._any_terms = {iri: _first(selection) for iri, selection in inverse.items()}
        self._raw = {term for term, definition in active.terms.items() if definition.coercion == "@json"}
        # The caches: name -> IRI, checked name -> IRI, IRI -> name as a word, as an attribute's, as a key.
        self._expanded: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._compacted: dict[str, str] = {}
        self.known_keys: dict[str, str] = {}
        self._members: dict[str, str] = {}

    @property
    def term_count(self) -> int:
        """How many terms it has, those of the core included."""
        return len(self._active.terms)

    def expand_term(self, term: str) -> str:
        """The IRI (or keyword) that a name of an attribute, type, vocabulary value or member stands for.

        Raises:
            BadRequestData: the context hides the name, or it looks like a keyword and is none.
        """
        iri = self._expanded.get(term)
        if iri is None:
            iri = expand_iri(self._active, term)
            if iri is None:
                raise BadRequestData(f"the name {term!r} is invalid: the @context gives it no meaning")
            _remember(self._expanded, term, iri)
        return iri

    def know_word(self, key: str, word: str) -> None:
        """Remembers which word of the standard a key of an attribute stands for."""
        _remember(self.words, key, word)

    def expand_name(self, name: str, limits: Limits = DEFAULT_LIMITS) -> str:
        """As `expand_term`, for the name of an attribute or a type, which must follow clause 4.6.2.

        Raises:
            BadRequestData: it is no valid name, or a keyword.
        """
        iri = self._names.get(name)
        if iri is None:
            if len(name) > limits.url:
                raise BadRequestData(f"a name is invalid: it is longer than {limits.url} characters")
            iri = self.expand_term(name) if is_name(name) or is_uri(name) else ""
            if not iri or iri.startswith("@"):
                raise BadRequestData(
                    f"the name {name!r} is invalid: names are a letter, then letters, digits and _, "
                    "or a prefixed name, or an IRI"
                )
            _remember(self._names, name, iri)
        return iri

    def compact_iri(self, iri: str) -> str:
        """The shortest name for the IRI of a type or vocabulary value; the IRI itself where there is none."""
        name = self._compacted.get(iri)
        if name is None:
            name = self._terms.get(iri) or self._relative(iri, plain=True)
            _remember(self._compacted, iri, name)
        return name

    def compact_key(self, iri: str) -> str:
        """The name for the IRI of an attribute, whose value is an object.

        A term whose coercion or container does not fit an object is not taken
        (clause C.6): the IRI is then rendered, as JSON-LD prescribes.
        """
        name = self.known_keys.get(iri)
        if name is None:
            name = self._node_terms.get(iri) or self._relative(iri, plain=False)
            _remember(self.known_keys, iri, name)
        return name

    def compact_member(self, iri: str) -> str:
        """The name for the IRI of a key inside a value, whatever the coercion of the term.

        Values are kept as written, so their keys are named as they were.
        """
        name = self._members.get(iri)
        if name is None:
            name = self._terms.get(iri) or self._any_terms.get(iri) or self._relative(iri, plain=True)
            _remember(self._members, iri, name)
        return name

    def is_raw(self, key: str) -> bool:
        """Whether the context says that what stands under this key is a JSON literal, left as it is."""
        return key in self._raw

    def _relative(self, iri: str, plain: bool) -> str:
        terms = self._active.terms
        if iri.startswith(self._vocab) and len(iri) > len(self._vocab):
            suffix = iri[len(self._vocab) :]
            if suffix not in terms:
                return suffix
        best = ""
        for start, term in self._prefixes:
            if len(iri) > len(start) and iri.startswith(start):
                candidate = f"{term}:{iri[len(start) :]}"
                taken = terms.get(candidate)
                if (taken is None or (plain and taken.iri == iri)) and (
                    not best or (len(candidate), candidate) < (len(best), best)
                ):
                    best = candidate
        return best or iri


def compile_context(context: Any, load: Load, limits: Limits = DEFAULT_LIMITS) -> LdContext:
    """Compiles a context.

    Args:
        context: a URL, an object, an array, or None for the core alone.
        load: gives remote documents' contexts; it is not asked for the core's.

    Raises:
        BadRequestData: the context is invalid.

    Cost: about 0.4 ms, and 8 µs for each term of the context.
    """
    active = process([] if context is None else context, load, limits)
    return LdContext(active, CORE_URL if context is None else context)


def _nothing_remote(url: str) -> Any:
    raise BadRequestData(f"@context is invalid: {url} is not at hand")


def _remember(cache: dict[str, str], key: str, value: str) -> None:
    # Names come from callers, so what is kept of them is bounded.
    if len(key) > _CACHED_LENGTH:
        return
    if len(cache) >= _CACHED_NAMES:
        cache.clear()
    cache[key] = value


Selection = dict[str, dict[str, str]]
"""Container -> preferred type -> term."""


def _invert(active: ActiveContext) -> dict[str, Selection]:
    inverse: dict[str, Selection] = {}
    for term in sorted(active.terms, key=lambda term: (len(term), term)):
        definition = active.terms[term]
        if definition.iri is not None:
            types = inverse.setdefault(definition.iri, {}).setdefault(_container_key(definition), {})
            types.setdefault(_type_key(definition), term)
    return inverse


def _container_key(definition: Definition) -> str:
    return "".join(definition.container) or "@none"


def _type_key(definition: Definition) -> str:
    if definition.reverse:
        return "@reverse"
    if definition.coercion is not None:
        return definition.coercion
    # A term bound to a language or direction fits strings only, never an object.
    if definition.language is not None or definition.direction is not None:
        return "@language"
    return "@none"


def _select(selection: Selection, containers: tuple[str, ...]) -> str | None:
    for container in containers:
        types = selection.get(container)
        if types is not None:
            for preferred in _PREFERRED:
                if preferred in types:
                    return types[preferred]
    return None


def _first(selection: Selection) -> str:
    terms = (term for types in selection.values() for term in types.values())
    return min(terms, key=lambda term: (len(term), term))


LdContext.core = compile_context(None, _nothing_remote)
