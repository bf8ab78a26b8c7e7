"""Where the SQL of the databases differs: a few small words that the statements ask for.

Statements have `?` or `:name` where values stand; a database that wants them otherwise
translates them in its session. What is not here, all databases understand alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cityloom.query.geometry import Box
from cityloom.store.map_ports import Name


class Dialect(Protocol):
    """How one database says what no two say alike."""

    def __hash__(self) -> int:
        """Statements are kept by it."""
        ...

    @property
    def join(self) -> str:
        """A join; its tables are read in the order of the statement, where a database can be told so."""
        ...

    @property
    def by_dataset(self) -> str:
        """What follows a table `instance` whose rows are to be found by their datasets."""
        ...

    @property
    def is_far(self) -> bool:
        """Whether each statement is a way to a server and back."""
        ...

    @property
    def sorts_rows(self) -> bool:
        """Whether a statement may sort whole rows; else it sorts their keys and then looks at the rows."""
        ...

    @property
    def reads_bodies(self) -> bool:
        """Whether statements look at values inside an entity's body."""
        ...

    @property
    def is_compound(self) -> str:
        """Whether the `value` of an instance is JSON that may hold a number: no number, text or boolean."""
        ...

    def is_number(self, low: str, high: str) -> str:
        """Whether the `value` of an instance is a number by two comparisons (`>=`), with a `?` each."""
        ...

    def bound(self, number: float) -> Any:
        """What such a `?` stands for."""
        ...

    def texts(self, values: Sequence[str]) -> Any:
        """Texts as one parameter."""
        ...

    def numbers(self, values: Sequence[int]) -> Any:
        """Whole numbers as one parameter."""
        ...

    def each_text(self, parameter: str, alias: str) -> str:
        """The texts of a parameter as rows, each `alias.value`."""
        ...

    def each_number(self, parameter: str, alias: str) -> str:
        """The whole numbers of a parameter as rows, each `alias.value`."""
        ...

    def each_pair(self, ones: str, twos: str, alias: str) -> str:
        """The whole numbers of two parameters side by side as rows, each `alias.one` and `alias.two`."""
        ...

    def is_text_of(self, operand: str, parameter: str) -> str:
        """Whether the operand is one of the texts of a parameter."""
        ...

    def is_number_of(self, operand: str, parameter: str) -> str:
        """Whether the operand is one of the whole numbers of a parameter."""
        ...

    def holds(self, text: str, part: str) -> str:
        """Whether a text holds another."""
        ...

    def id_like(self, operand: str, pieces: Sequence[Any], bind: Callable[[Any], str]) -> str:
        """Whether an id matches the pieces of a pattern of LIKE."""
        ...

    def stored_value(self, value: Any) -> Any:
        """The value of an instance as its column holds it; `codec.load_value` undoes it.

        Raises:
            BadRequestData: a number is no number of JSON.
        """
        ...

    def stored_name(self, name: Name) -> Any:
        """A name as the table `sight` holds it."""
        ...

    @property
    def told_name(self) -> Callable[[Any], Name] | None:
        """What makes the name again of what the table `sight` holds; None where it is that already."""
        ...

    def place(self, box: Box, bind: Callable[[Any], str], type: str | None = None) -> str:
        """Whether a `place p` of `:tenant` touches a box, and a type (its number) may be one of its."""
        ...

    def is_one_of(self, operand: str, select: str) -> str:
        """Whether the operand is in the only column of a few rows, which are found once."""
        ...

    @property
    def places_by_type(self) -> bool:
        """Whether a search of places by type finds that type alone."""
        ...

    def surely(self, type: str) -> str:
        """Whether a `place p` with its `sight s` that may be of a type surely is."""
        ...
