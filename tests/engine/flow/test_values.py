"""Values against types: strict from Python, strict JSON from elsewhere."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from penstock.errors import InvalidValue
from penstock.flow import check_json, check_python


@dataclass
class Point:
    x: int


class Model(BaseModel):
    x: int


class Plain:
    pass


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (object, Plain()),
        (Any, None),
        (str, "x"),
        (float, 3),
        (list[int], [1, 2]),
        (str | None, None),
        (None, None),
        (Literal["a", "b"], "b"),
        (Point, Point(1)),
        (Model, Model(x=1)),
        (ast.AST, ast.parse("x")),
        (Plain, Plain()),
        (list[Plain], [Plain()]),
        (Path, Path("x")),
        ("NotThere", 3),
    ],
)
def test_a_fitting_value_passes(type_: Any, value: object) -> None:
    check_python(type_, value, "a.b")


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (str, 3, "expected a valid string, got 3"),
        (int, "3", "expected a valid integer, got '3'"),
        (int, True, "expected a valid integer, got True"),
        (bool, 1, "expected a valid boolean, got 1"),
        (list[int], [1, "x"], "1: expected a valid integer, got 'x'"),
        (list[int], (1,), "expected a valid list, got tuple"),
        (Model, {"x": 1}, "got dict"),
        (Point, {"x": 1}, "got dict"),
        (ast.AST, "x", "expected an instance of AST"),
        (list[Plain], [3], "expected an instance of "),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(type_: Any, value: object, text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_python(type_, value, "a.b")

    assert str(caught.value).startswith("a.b: ")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (tuple[int, int], [1, 2], (1, 2)),
        (Point, {"x": 1}, Point(1)),
        (Model, {"x": 1}, Model(x=1)),
        (Path, "x", Path("x")),
        (object, {"a": [1]}, {"a": [1]}),
        (Plain | None, None, None),
    ],
)
def test_json_stands_for_values_python_would_have_to_give(
    type_: Any, value: object, expected: object
) -> None:
    assert check_json(type_, value, "a.b") == expected


@pytest.mark.parametrize(
    ("type_", "value"),
    [(int, "3"), (str, 3), (bool, 1), (Point, {"y": 1}), (Plain, {}), (int, float("nan"))],
)
def test_json_isnt_bent_into_shape(type_: Any, value: object) -> None:
    with pytest.raises(InvalidValue, match=r"^a\.b: "):
        check_json(type_, value, "a.b")


def test_no_repr_of_the_users_is_called() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("called")

    with pytest.raises(InvalidValue, match="got Loud"):
        check_python(int, Loud(), "a.b")


def test_long_values_arent_printed() -> None:
    with pytest.raises(InvalidValue) as caught:
        check_python(int, "x" * 100_000, "a.b")

    assert len(str(caught.value)) < 200
