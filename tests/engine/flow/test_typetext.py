"""Which event types fit which slot types, by their texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.flow import EventSpec, SlotSpec, compatible, fits

FITTING = [
    ("str", "str"),
    ("str", "object"),
    ("object", "str"),
    ("Any", "Tree"),
    ("Tree", "typing.Any"),
    ("int", "float"),
    ("bool", "int"),
    ("bool", "float"),
    ("str", "str | None"),
    ("None", "str | None"),
    ("NoneType", "Optional[str]"),
    ("str | None", "None | str"),
    ("int | str", "Union[str, float]"),
    ("ast.Module", "Module"),
    ("list", "list[int]"),
    ("list[int]", "list"),
    ("List[int]", "list[float]"),
    ("list[int]", "Sequence[int]"),
    ("dict[str, int]", "Mapping"),
    ("dict", "Iterable"),
    ("Generator", "Iterable"),
    ("Annotated[int, 3]", "int"),
    ("Literal['a', 'b']", "str"),
    ("Literal['a']", "Literal['a', 'b']"),
    ("'Tree'", "Tree"),
    ("Path", "os.PathLike"),
    ("not python (", "not python ("),
]

APART = [
    ("Tree", "str"),
    ("str", "Tree"),
    ("float", "int"),
    ("int", "str"),
    ("str", "int | float"),
    ("str | None", "str"),
    ("list[int]", "list[str]"),
    ("list[int | None]", "list[int]"),
    ("Literal['a']", "int"),
    ("Literal['a', 'c']", "Literal['a', 'b']"),
    ("str", "Literal['a']"),
    ("Mapping", "dict"),
    ("None", "Callable"),
    ("not python (", "str"),
]


@pytest.mark.parametrize(("event", "slot"), FITTING)
def test_fitting(event: str, slot: str) -> None:
    assert compatible(event, slot) is None


@pytest.mark.parametrize(("event", "slot"), APART)
def test_apart_with_a_reason(event: str, slot: str) -> None:
    assert compatible(event, slot) == f"takes {slot}, not {event}"


def test_a_known_base_class_fits() -> None:
    puppy = EventSpec("out", "Puppy", bases=("pets.Dog", "Animal"))

    assert fits(puppy, SlotSpec("in", "Animal")) is None
    assert fits(puppy, SlotSpec("in", "Dog | None")) is None
    assert fits(puppy, SlotSpec("in", "Cat")) == "takes Cat, not Puppy"


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_two_texts_have_an_answer(event: str, slot: str) -> None:
    assert compatible(event, slot) in (None, f"takes {slot}, not {event}")
    assert compatible(event, event) is None
