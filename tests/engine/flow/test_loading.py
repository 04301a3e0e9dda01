"""Importing a loaded flow's routines, once it is trusted."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import FlowError, FlowFileError, InvalidValue, UnknownPort
from penstock.flow import Event, Flow, Routine, Slot, instantiate

pytestmark = pytest.mark.usefixtures("forget_imports")


def flow_file(folder: Path, modules: dict[str, str], **parts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    routines = {"a": {"type": "load_m:A", "config": parts.pop("config", {})}}
    path = folder / "x.flow.json"
    data = {"version": 1, "name": "x", "folders": ["."], "routines": routines, **parts}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


MODULE = """
from typing import Literal
from pydantic import BaseModel
from penstock import Event, Routine, Slot

class A(Routine):
    a = Slot(int)
    b = Event(int)
    class Config(BaseModel):
        size: int = 1
        pair: tuple[int, int] = (1, 2)
    def logic(self, a): ...

class Plain: ...
class Idle(Routine):
    a = Slot()
    def logic(self): ...
class Picky(Routine):
    class Config(BaseModel):
        size: int = 1
    def __init__(self, size=5):
        super().__init__(size=size)
        self.doubled = 2 * size
        1 / size
    def logic(self): ...
"""


def test_routines_come_alive_with_their_config(tmp_path: Path) -> None:
    path = flow_file(
        tmp_path, {"load_m.py": MODULE}, config={"pair": [3, 4]}, connections=["a.b -> a.a"]
    )
    loaded = Flow.load(path)
    live = instantiate(loaded)
    routine = live.routines["a"]

    assert isinstance(routine, Routine)
    assert (routine.config.pair, routine.config.size) == ((3, 4), 1)
    assert live.connections == loaded.connections
    assert loaded.spec("a").config == {"pair": [3, 4]}
    assert live.spec("a").slots == loaded.spec("a").slots
    assert live.spec("a").config == loaded.spec("a").config
    assert sys.path[-1] == str(tmp_path)


def test_a_folder_goes_onto_the_path_once(tmp_path: Path) -> None:
    path = flow_file(tmp_path, {"load_m.py": MODULE}, folders=[".", "./", "gone"])
    instantiate(Flow.load(path))
    instantiate(Flow.load(path))

    assert sys.path.count(str(tmp_path)) == 1
    assert str(tmp_path / "gone") not in sys.path


def test_the_base_can_be_given(tmp_path: Path) -> None:
    path = flow_file(tmp_path, {"load_m.py": MODULE})
    flow = Flow.from_json(path.read_text())

    assert isinstance(instantiate(flow, tmp_path).routines["a"], Routine)


def test_a_classes_own_init_is_used(tmp_path: Path) -> None:
    routines = {"a": {"type": "load_m:Picky", "config": {"size": 4}}}
    path = flow_file(tmp_path, {"load_m.py": MODULE}, routines=routines)
    routine = instantiate(Flow.load(path)).routines["a"]

    assert (routine.doubled, routine.config.size) == (8, 4)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "error", "text"),
    [
        ({"config": {"size": "1"}}, InvalidValue, "config.size: expected a valid integer, got '1'"),
        ({"config": {"size": True}}, InvalidValue, "config.size: expected a valid integer"),
        ({"config": {"siz": 1}}, InvalidValue, "config.siz: unknown; no such field is expected"),
        ({"routines": {"a": {"type": "load_m"}}}, FlowFileError, "type: 'load_m': expected 'mod"),
        ({"routines": {"a": {"type": "os:A"}}}, FlowFileError, "type: os is a module of Python"),
        ({"routines": {"a": {"type": "load_n:A"}}}, FlowFileError, "No module named 'load_n'"),
        ({"routines": {"a": {"type": "load_m:B"}}}, FlowFileError, "load_m.py has no class B"),
        ({"routines": {"a": {"type": "load_m:Plain"}}}, FlowFileError, "Plain is no Routine"),
        ({"routines": {"a": {"type": "load_m:Routine"}}}, FlowError, "Routine has no logic"),
        ({"routines": {"a": {"type": "load_m:Idle"}}}, FlowError, "no parameter for slot 'a'"),
        (
            {"routines": {"a": {"type": "load_m:Picky", "config": {"size": 0}}}},
            FlowFileError,
            r"Picky\(\) failed: ZeroDivisionError: division by zero",
        ),
        ({"connections": ["a.x -> a.a"]}, UnknownPort, "a has no event 'x'; it has b, failed"),
        ({"connections": ["a.b -> a.a"] * 2}, FlowFileError, "a.b -> a.a is there more than once"),
    ],
)
def test_a_flow_that_cant_start_says_why_in_one_line(
    tmp_path: Path, parts: dict[str, Any], error: type[Exception], text: str
) -> None:
    path = flow_file(tmp_path, {"load_m.py": MODULE}, **parts)

    with pytest.raises(error, match=text) as caught:
        instantiate(Flow.load(path))

    assert "\n" not in str(caught.value)
    if "config" in parts or "routines" in parts:
        assert "a" in str(caught.value).partition(str(path))[2]
        assert getattr(caught.value, "routine", None) == "a"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("import load_nowhere", "ModuleNotFoundError: No module named 'load_nowhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class A(:", "SyntaxError: "),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        (
            "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
            "E: its text can't be had",
        ),
    ],
)
def test_an_error_in_a_users_module_is_told_with_its_cause(
    tmp_path: Path, module: str, text: str
) -> None:
    path = flow_file(tmp_path, {"load_m.py": module})

    with pytest.raises(FlowFileError, match="module load_m can't be imported") as caught:
        instantiate(Flow.load(path))

    assert str(caught.value).startswith(f"{path}: routines.a.type: module load_m")
    assert text in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "load_m" not in sys.modules


def test_two_modules_of_one_name_are_refused_naming_both(tmp_path: Path) -> None:
    one = flow_file(tmp_path / "one", {"load_m.py": MODULE})
    two = flow_file(tmp_path / "two", {"load_m.py": MODULE})
    instantiate(Flow.load(one))

    with pytest.raises(FlowFileError) as caught:
        instantiate(Flow.load(two))

    assert str(tmp_path / "one" / "load_m.py") in str(caught.value)
    assert str(tmp_path / "two" / "load_m.py") in str(caught.value)
    assert str(tmp_path / "two") not in sys.path


@pytest.mark.parametrize(
    ("statement", "helper"),
    [
        ("import load_helper", "load_helper.py"),
        ("import load_helper as short", "load_helper.py"),
        ("from load_helper import *", "load_helper.py"),
        ("from load_pack import inner", "load_pack/inner.py"),
        ("from load_pack.inner import x", "load_pack/inner.py"),
    ],
)
def test_a_helper_of_another_flow_is_refused_as_well(
    tmp_path: Path, statement: str, helper: str
) -> None:
    text = f"{statement}\n" + MODULE
    one = flow_file(tmp_path / "one", {"load_m.py": text, helper: "x = 1"})
    two = flow_file(
        tmp_path / "two",
        {"load_m2.py": text, helper: "x = 2"},
        routines={"a": {"type": "load_m2:A"}},
    )
    instantiate(Flow.load(one))

    with pytest.raises(FlowFileError, match=rf"is .*two/{helper} here, but .*one/{helper} is"):
        instantiate(Flow.load(two))


def test_a_module_an_installed_one_would_hide_is_refused(tmp_path: Path) -> None:
    first = tmp_path / "installed"
    first.mkdir()
    (first / "load_m.py").write_text("raise AssertionError('imported')")
    sys.path.insert(0, str(first))
    path = flow_file(tmp_path / "mine", {"load_m.py": MODULE})

    with pytest.raises(FlowFileError, match="is found first under that name"):
        instantiate(Flow.load(path))


def test_one_folder_serves_many_flows_and_packages(tmp_path: Path) -> None:
    path = flow_file(
        tmp_path,
        {
            "load_p/__init__.py": "from .inner import A",
            "load_p/inner.py": MODULE,
            "load_m.py": "from load_p.inner import A",
        },
        routines={"a": {"type": "load_p.inner:A"}, "b": {"type": "load_p:A"}},
    )
    first, second = instantiate(Flow.load(path)), instantiate(Flow.load(path))

    assert type(first.routines["a"]) is type(second.routines["b"])
    assert first.routines["a"] is not second.routines["a"]


def test_folders_never_come_before_what_is_installed(tmp_path: Path) -> None:
    before = list(sys.path)
    path = flow_file(tmp_path, {"load_m.py": MODULE})
    instantiate(Flow.load(path))

    assert sys.path[: len(before)] == before


class Live(Routine):
    a = Slot(int)
    b = Event(int)

    def logic(self, a: int) -> None: ...


def test_live_routines_stay_as_they_are(tmp_path: Path) -> None:
    flow = Flow.load(flow_file(tmp_path, {"load_m.py": MODULE}))
    routine = Live()
    flow.add("live", routine)
    flow.connect("live.b", "a.a")
    live = instantiate(flow)

    assert live.routines["live"] is routine
    assert len(live.connections) == 1
