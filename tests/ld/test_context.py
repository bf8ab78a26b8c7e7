"""Contexts compiled here say what pyld, an independent processor, says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyld import jsonld

from cityloom.ld.context import LdContext, compile_context
from cityloom.ld.core_terms import CORE_URL, CORE_URLS, core_context
from cityloom.ld.limits import Limits
from cityloom.model.errors import BadRequestData

HOSTS = ("https://a.example/", "https://a.example/ns#", "https://b.example/x/", "http://schema.org/")
WORDS = ("name", "speed", "Vehicle", "ex", "sd", "street", "a", "bb", "refDistrict", "dateObserved")
CORE_WORDS = ("location", "observedAt", "type", "value", "Property", "status")


def nothing(url: str) -> Any:
    raise BadRequestData(f"{url} is not at hand")


def pyld_context(context: Any) -> tuple[Any, Any]:
    """pyld's processor and its active context for `context` with the core over it."""
    processor = jsonld.JsonLdProcessor()
    options = {
        "base": "",
        "processingMode": "json-ld-1.1",
        "documentLoader": lambda url, _: {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": {"@context": core_context(CORE_URLS[url])},
        },
    }
    options["contextResolver"] = jsonld.ContextResolver({}, options["documentLoader"])
    parts = context if isinstance(context, list) else [context]
    active = processor._get_initial_context(options)
    return processor, processor.process_context(active, {"@context": [*parts, CORE_URL]}, options)


def expand_with_pyld(context: Any, term: str) -> str | None:
    processor, active = pyld_context(context)
    expanded: str | None = processor._expand_iri(active, term, vocab=True)
    return expanded


prefixes = st.dictionaries(st.sampled_from(("ex", "sd", "a")), st.sampled_from(HOSTS), max_size=3)
iris = st.builds(lambda host, word: host + word, st.sampled_from(HOSTS), st.sampled_from(WORDS))


@st.composite
def contexts(draw: st.DrawFn) -> dict[str, Any]:
    """A context object: prefixes, then terms in every shape that users write."""
    context: dict[str, Any] = dict(draw(prefixes))
    compact = st.builds(
        lambda prefix, word: f"{prefix}:{word}",
        st.sampled_from(sorted(context) or ["zz"]),
        st.sampled_from(WORDS),
    )
    if draw(st.booleans()):
        context["@vocab"] = draw(st.sampled_from(HOSTS))
    identifiers = st.one_of(iris, compact)
    shapes = st.one_of(
        identifiers,
        st.fixed_dictionaries(
            {"@id": identifiers},
            optional={
                "@type": st.sampled_from(("@id", "@vocab", "@json", "https://uri.etsi.org/ngsi-ld/DateTime")),
                "@container": st.sampled_from(("@list", "@set", "@language", "@index", ["@set"])),
            },
        ),
        st.just({"@id": "https://b.example/x/", "@prefix": True}),
        st.none(),
    )
    terms = st.sampled_from((*WORDS, *CORE_WORDS))
    for term in draw(st.lists(terms, max_size=6, unique=True)):
        if term not in context:
            context[term] = draw(shapes)
    return context


queries = st.one_of(
    st.sampled_from((*WORDS, *CORE_WORDS)),
    iris,
    st.builds(
        lambda p, w: f"{p}:{w}", st.sampled_from(("ex", "sd", "a", "ngsi-ld", "zz")), st.sampled_from(WORDS)
    ),
    st.builds("https://uri.etsi.org/ngsi-ld/{}".format, st.sampled_from((*WORDS, *CORE_WORDS))),
    st.builds(
        "https://uri.etsi.org/ngsi-ld/default-context/{}".format, st.sampled_from((*WORDS, *CORE_WORDS))
    ),
)


@given(st.lists(contexts(), min_size=1, max_size=2), st.lists(queries, min_size=1, max_size=8))
def test_expand_and_compact_agree_with_pyld(parts: list[dict[str, Any]], names: list[str]) -> None:
    try:
        processor, active = pyld_context(parts)
    except jsonld.JsonLdError:
        with pytest.raises(BadRequestData):
            compile_context(parts, nothing)
        return
    compiled = compile_context(parts, nothing)
    for name in names:
        expected = processor._expand_iri(active, name, vocab=True)
        if expected is None:
            with pytest.raises(BadRequestData):
                compiled.expand_term(name)
            continue
        assert compiled.expand_term(name) == expected
        for iri in {expected, name}:
            try:
                plain = processor._compact_iri(active, iri, vocab=True)
                node = processor._compact_iri(active, iri, value={"@type": ["x:y"]}, vocab=True)
            except jsonld.JsonLdError:
                continue  # pyld refuses an IRI that looks like a compact one; we render it as it is
            assert compiled.compact_iri(iri) == plain
            assert compiled.compact_key(iri) == node


@given(contexts(), st.lists(st.sampled_from(WORDS), min_size=1))
def test_compacting_what_was_expanded_gives_a_name_that_expands_to_the_same(
    context: dict[str, Any], names: list[str]
) -> None:
    try:
        compiled = compile_context(context, nothing)
    except BadRequestData:
        return
    for name in names:
        try:
            iri = compiled.expand_term(name)
        except BadRequestData:
            continue
        assert compiled.expand_term(compiled.compact_iri(iri)) == iri
        assert compiled.expand_term(compiled.compact_key(iri)) == iri


@pytest.mark.parametrize("term", ["type", "id", "value", "location", "Property", "observedAt", "hasValue"])
def test_core_context_agrees_with_pyld(term: str) -> None:
    assert LdContext.core.expand_term(term) == expand_with_pyld([], term)


def test_core_terms_cannot_be_redefined_wherever_the_core_stands() -> None:
    mine = {
        "value": "https://a.example/value",
        "type": "https://a.example/type",
        "speed": "https://a.example/speed",
    }
    for parts in (mine, [mine], [CORE_URL, mine], [mine, CORE_URL], [CORE_URL, mine, CORE_URL]):
        compiled = compile_context(parts, nothing)
        assert compiled.expand_term("value") == "https://uri.etsi.org/ngsi-ld/hasValue"
        assert compiled.expand_term("type") == "@type"
        assert compiled.expand_term("speed") == "https://a.example/speed"


def test_core_prefixes_can_be_used_by_a_context_that_follows_the_core() -> None:
    compiled = compile_context([CORE_URL, {"mine": "ngsi-ld:mine"}], nothing)
    assert compiled.expand_term("mine") == "https://uri.etsi.org/ngsi-ld/mine"


def test_every_published_core_url_is_answered_without_loading() -> None:
    for url in CORE_URLS:
        assert (
            compile_context(url, nothing).expand_term("location") == "https://uri.etsi.org/ngsi-ld/location"
        )


def test_remote_contexts_are_resolved_against_the_document_that_names_them() -> None:
    documents = {
        "https://a.example/contexts/all.jsonld": ["vehicle.jsonld", {"name": "https://a.example/name"}],
        "https://a.example/contexts/vehicle.jsonld": {"@import": "../base.jsonld", "speed": "v:speed"},
        "https://a.example/base.jsonld": {
            "v": "https://a.example/vehicle#",
            "speed": "https://wrong.example/",
        },
    }
    compiled = compile_context("https://a.example/contexts/all.jsonld", documents.__getitem__)
    assert compiled.expand_term("speed") == "https://a.example/vehicle#speed"
    assert compiled.expand_term("name") == "https://a.example/name"
    assert compiled.compact_iri("https://a.example/vehicle#speed") == "speed"
    assert compiled.compact_iri("https://a.example/vehicle#other") == "v:other"
    assert compiled.source == "https://a.example/contexts/all.jsonld"


def test_a_term_whose_coercion_does_not_fit_an_object_is_not_the_name_of_an_attribute() -> None:
    context = {
        "testedAt": {"@id": "https://a.example/testedAt", "@type": "https://uri.etsi.org/ngsi-ld/DateTime"},
        "parked": {"@id": "https://a.example/parked", "@type": "@id"},
    }
    compiled = compile_context(context, nothing)
    assert compiled.compact_key("https://a.example/testedAt") == "https://a.example/testedAt"
    assert compiled.compact_key("https://a.example/parked") == "parked"


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"a": {"@id": "https://a.example/a", "@context": {"b": "https://a.example/b"}}}, "scoped"),
        ({"a": "b:x", "b": "a:x"}, "defined by itself"),
        ({"a": 5}, "neither a string"),
        ({"a": {"@id": 5}}, "not a string"),
        ({"a": {"@id": "relative"}}, "not an IRI"),
        ({"a": {"@id": "https://a.example/", "@foo": 1}}, "has the member"),
        ({"a": {"@id": "https://a.example/", "@container": "@no"}}, "@container"),
        ({"@vocab": 1}, "@vocab"),
        ({"@version": 1.0}, "@version"),
        ({"@base": 1}, "@base"),
        ({"@language": 1}, "@language"),
        ({"@id": "https://a.example/"}, "cannot be defined again"),
        ({"": "https://a.example/"}, "empty"),
        ([5], "neither URLs nor objects"),
        (5, "neither URLs nor objects"),
        ({"a": "@context"}, "alias"),
        ([{"@protected": True, "a": "https://a.example/a"}, {"a": "https://b.example/a"}], "protected"),
        ([{"@protected": True, "a": "https://a.example/a"}, None], "protected"),
        ("https://a.example/self", "refers to itself"),
        ("https://a.example/deep0", "deeper than"),
        ({f"t{number}": "https://a.example/t" for number in range(600)}, "more than"),
    ],
)
def test_compile_refuses_an_invalid_context(context: Any, why: str) -> None:
    def load(url: str) -> Any:
        if url.endswith("self"):
            return ["self"]
        return [f"deep{int(url.rpartition('deep')[2]) + 1}"]

    with pytest.raises(BadRequestData, match=why):
        compile_context(context, load, Limits(context_terms=500))


@pytest.mark.parametrize(
    "name", ["", "9lives", "with space", "a-b", "a:b c", "@id", "@foo", "type", "id", "a<b", "x\ud800"]
)
def test_expand_name_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(BadRequestData):
        LdContext.core.expand_name(name)


@pytest.mark.parametrize(
    "name", ["temperature", "Straße", "路灯", "a_1", "sd:name", "https://a.example/x-y", "urn:x:y-z"]
)
def test_expand_name_accepts_names_of_the_standard(name: str) -> None:
    assert ":" in LdContext.core.expand_name(name)


def test_fiware_context_agrees_with_pyld() -> None:
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "etsi" / "contexts" / "fiware"
    if not shared.is_dir():
        pytest.skip("the conformance suite's contexts are not here (looked in ../shared/etsi/contexts)")
    context = json.loads((shared / "data-models-context.jsonld").read_text())["@context"]
    processor, active = pyld_context(context)
    compiled = compile_context(context, nothing)
    terms = (
        context
        if isinstance(context, dict)
        else {key for part in context if isinstance(part, dict) for key in part}
    )
    for term in terms:
        if not term.startswith("@"):
            iri = processor._expand_iri(active, term, vocab=True)
            assert compiled.expand_term(term) == iri
            assert compiled.compact_key(iri) == processor._compact_iri(
                active, iri, value={"@type": ["x:y"]}, vocab=True
            )
