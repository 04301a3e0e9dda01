"""Parsing while another thread disturbs the parser."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.flow import compatible, syntax
from penstock.flow.source import SourceError, read_module
from penstock.flow.syntax import parsed

MISMATCH = "AST constructor recursion depth mismatch"


def _disturb(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    left = [times]

    def parse(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise SystemError(MISMATCH)
        return ast.parse(*args, **kwargs)

    monkeypatch.setattr(syntax, "ast", SimpleNamespace(parse=parse))


def test_a_disturbed_parser_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _disturb(monkeypatch, 2)

    assert isinstance(parsed("1 + 1", mode="eval").body, ast.BinOp)


def test_a_parser_that_goes_on_failing_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "module.py"
    path.write_text("class A: ...")
    _disturb(monkeypatch, 1000)

    with pytest.raises(SourceError, match=MISMATCH):
        read_module(path, "module")
    assert compatible("Never['seen']", "Never['seen']") is None


def test_the_member_of_an_enum_in_a_literal_may_fit_anything() -> None:
    assert compatible("Literal[Colour.RED]", "str") is None
