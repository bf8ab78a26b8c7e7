"""Random CQL2 filters over the world of `draws`, as CQL2 JSON; and their printing as CQL2 Text."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from query.draws import MOMENTS, URIS, WORDS, geometries

PROPERTIES = ["a", "a", "a", "b", "c", "a.s", "a.m", "a.en", "a.observedAt", "b.s", "id", "createdAt"]

properties = st.sampled_from(PROPERTIES).map(lambda name: {"property": name})
numbers = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([0.5, -1.5, 0.1, 1e30, 2.0**60]))
texts = st.sampled_from([*WORDS, *MOMENTS[:2], *URIS, "blue", "urn:e:1", "O'Hara \\ 100%"])
booleans = st.booleans()
dates = st.sampled_from(["2019-12-31", "2020-01-01", "2021-06-01"])
stamps = st.sampled_from(["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000001Z", "2021-06-01T12:00:00.5Z"])
instants = st.one_of(dates.map(lambda text: {"date": text}), stamps.map(lambda text: {"timestamp": text}))
folds = st.tuples(st.sampled_from(["casei", "accenti"]), st.one_of(properties, texts)).map(
    lambda pair: {"op": pair[0], "args": [pair[1]]}
)
sums = st.recursive(
    st.one_of(properties, properties, numbers),
    lambda inner: st.builds(
        lambda op, one, other: {"op": op, "args": [one, other]},
        st.sampled_from(["+", "-", "*", "/", "%", "div", "^"]),
        inner,
        inner,
    ),
    max_leaves=3,
)
scalars = st.one_of(properties, numbers, texts, booleans, instants, folds, sums)
literals = st.one_of(numbers, numbers, texts, booleans, instants)
bounds = st.one_of(
    dates,
    stamps,
    st.just(".."),
    st.sampled_from(["a", "a.observedAt", "createdAt", "c"]).map(lambda name: {"property": name}),
)


def _is_interval(pair: tuple[Any, Any]) -> bool:
    low, high = pair
    plain = isinstance(low, str) and isinstance(high, str) and ".." not in pair
    return not plain or low[:10] < high[:10]


intervals = st.tuples(bounds, bounds).filter(_is_interval).map(lambda pair: {"interval": list(pair)})
boxes = st.tuples(st.integers(-4, 3), st.integers(-4, 3), st.integers(0, 4), st.integers(0, 4)).map(
    lambda box: {"bbox": [float(each) for each in (box[0], box[1], box[0] + box[2], box[1] + box[3])]}
)
places = st.one_of(
    geometries,
    geometries,
    boxes,
    st.sampled_from(["location", "geometry", "a", "c"]).map(lambda name: {"property": name}),
)
elements = st.one_of(literals, properties, intervals)
# In text, parentheses around one property or one array are no array: these are drawn in JSON alone.
inner_arrays = st.one_of(st.just([]), st.lists(literals, min_size=2, max_size=2))
arrays = st.one_of(
    st.just([]),
    literals.map(lambda literal: [literal]),
    st.lists(st.one_of(elements, inner_arrays), min_size=2, max_size=3),
)
sets = st.one_of(properties, arrays)
patterns = st.sampled_from(["r%", "%", "_ed", "R_d", "%1%", "\\%", "été", "", "2020%Z", "blu_", 'a"b\\\\c'])
folded_patterns = st.one_of(patterns, patterns.map(lambda text: {"op": "casei", "args": [text]}))


def _op(op: Any, *arguments: Any) -> st.SearchStrategy[dict[str, Any]]:
    name = op if isinstance(op, st.SearchStrategy) else st.just(op)
    return st.tuples(name, *arguments).map(lambda parts: {"op": parts[0], "args": list(parts[1:])})


both_kinds = st.sampled_from(["t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"])
intervals_only = st.sampled_from(
    [
        "t_contains",
        "t_during",
        "t_finishedBy",
        "t_finishes",
        "t_meets",
        "t_metBy",
        "t_overlappedBy",
        "t_overlaps",
        "t_startedBy",
        "t_starts",
    ]
)
relations = st.sampled_from(
    [f"s_{n}" for n in "intersects equals disjoint touches within overlaps crosses contains".split()]  # noqa: SIM905
)
times = st.one_of(properties, instants, intervals)
comparisons = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
terms = st.one_of(
    _op(comparisons, properties, literals),
    _op(comparisons, properties, literals),
    _op(comparisons, scalars, scalars),
    _op("like", st.one_of(properties, folds), folded_patterns),
    _op("between", st.one_of(properties, sums), numbers, numbers),
    _op("between", scalars, scalars, scalars),
    _op("in", properties, st.lists(literals, min_size=1, max_size=3)),
    _op("in", scalars, st.lists(scalars, min_size=1, max_size=3)),
    _op("isNull", st.one_of(properties, scalars, intervals)),
    _op(relations, places, places),
    _op(both_kinds, times, times),
    _op(intervals_only, intervals, intervals),
    _op(st.sampled_from(["a_equals", "a_contains", "a_containedBy", "a_overlaps"]), sets, sets),
    booleans,
)
filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        _op("and", inner, inner), _op("or", inner, inner, inner), _op("not", inner), _op("isNull", inner)
    ),
    max_leaves=5,
)


def print_cql2(tree: Any) -> str:
    """The condition as CQL2 Text, with parentheses wherever they might matter."""
    match tree:
        case bool():
            return "TRUE" if tree else "FALSE"
        case {"op": ("and" | "or") as op, "args": inner}:
            return f" {op.upper()} ".join(f"({print_cql2(each)})" for each in inner)
        case {"op": "not", "args": [inner]}:
            return f"NOT ({print_cql2(inner)})"
        case {"op": "like", "args": [text, pattern]}:
            return f"{print_value(text)} LIKE {print_value(pattern)}"
        case {"op": "between", "args": [value, low, high]}:
            return f"{print_value(value)} BETWEEN {print_value(low)} AND {print_value(high)}"
        case {"op": "in", "args": [value, items]}:
            return f"{print_value(value)} IN {_list(items)}"
        case {"op": "isNull", "args": [operand]}:
            is_condition = isinstance(operand, dict) and operand.get("op") in _CONDITIONS
            return f"({print_cql2(operand) if is_condition else print_value(operand)}) IS NULL"
        case {"op": op, "args": [left, right]} if op in _SIGNS:
            return f"{print_value(left)} {op} {print_value(right)}"
        case {"op": op, "args": [left, right]}:
            return f"{op.upper()}({print_value(left)}, {print_value(right)})"
    raise AssertionError(tree)


_SIGNS = ("=", "<>", "<", ">", "<=", ">=")
_CONDITIONS = frozenset(
    {*_SIGNS, "and", "or", "not", "like", "between", "in", "isNull"}
    | {
        f"s_{n}"
        for n in ("intersects", "equals", "disjoint", "touches", "within", "overlaps", "crosses", "contains")
    }
    | {f"a_{n}" for n in ("equals", "contains", "containedBy", "overlaps")}
    | {
        f"t_{n}"
        for n in ("after", "before", "disjoint", "equals", "intersects", "contains", "during", "finishedBy")
    }
    | {f"t_{n}" for n in ("finishes", "meets", "metBy", "overlappedBy", "overlaps", "startedBy", "starts")}
)


def print_value(tree: Any) -> str:
    """An expression as CQL2 Text."""
    match tree:
        case bool():
            return "TRUE" if tree else "FALSE"
        case int() | float():
            return repr(float(tree))
        case str():
            return "'" + tree.replace("\\", "\\\\").replace("'", "''") + "'"
        case list():
            return _list(tree)
        case {"property": name}:
            return f'"{name}"'
        case {"date": text}:
            return f"DATE('{text}')"
        case {"timestamp": text}:
            return f"TIMESTAMP('{text}')"
        case {"interval": [low, high]}:
            ends = (f"'{each}'" if isinstance(each, str) else print_value(each) for each in (low, high))
            return f"INTERVAL({', '.join(ends)})"
        case {"bbox": box}:
            return f"BBOX({', '.join(repr(each) for each in box)})"
        case {"type": kind, "coordinates": coordinates}:
            return f"{kind.upper()}{_coordinates(kind, coordinates)}"
        case {"op": ("casei" | "accenti") as op, "args": [text]}:
            return f"{op.upper()}({print_value(text)})"
        case {"op": op, "args": [left, right]}:
            return f"({print_value(left)} {op} {print_value(right)})"
    raise AssertionError(tree)


def _list(items: list[Any]) -> str:
    return f"({', '.join(print_value(each) for each in items)})"


def _coordinates(kind: str, coordinates: Any) -> str:
    def position(place: Any) -> str:
        return " ".join(str(float(each)) for each in place)

    if kind == "Point":
        return f"({position(coordinates)})"
    if kind == "LineString":
        return f"({', '.join(position(each) for each in coordinates)})"
    if kind == "MultiPoint":
        return f"({', '.join(f'({position(each)})' for each in coordinates)})"
    return f"({', '.join(_coordinates('LineString', each) for each in coordinates)})"
