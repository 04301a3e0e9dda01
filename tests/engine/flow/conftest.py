"""Folders with flows and routines, and an interpreter that forgets what a test imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.flow_files import FLOW, WORDS


@pytest.fixture
def forget_imports() -> Iterator[None]:
    """Put ``sys.path`` and ``sys.modules`` back."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A flow file beside the module of its routines."""
    (tmp_path / "flow_words.py").write_text(WORDS, encoding="utf-8")
    path = tmp_path / "words.flow.json"
    path.write_text(json.dumps(FLOW, ensure_ascii=False), encoding="utf-8")
    return path
