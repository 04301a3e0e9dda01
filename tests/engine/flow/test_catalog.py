"""Routines read from their source: ports, fields, docs, errors; and that nothing is run."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from penstock.flow import (
    REQUIRED,
    EventSpec,
    FieldSpec,
    Flow,
    RoutineSpec,
    SlotSpec,
    describe,
    find_routines,
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def reads(folder: Path, text: str, type_name: str = "mine_m:A") -> RoutineSpec:
    write(folder, "mine_m.py", text)
    return describe(type_name, [folder])


def test_a_class_is_described_from_its_text(tmp_path: Path) -> None:
    spec = reads(
        tmp_path,
        '''
        import ast
        from penstock import Event, Routine, Slot

        class A(Routine):
            """Does it.

            More.
            """
            tree = Slot(ast.Module, capacity=16, doc="A tree.")
            text: Slot = Slot("Text", 3)
            any_ = Slot()
            out = Event(list[str] | None, doc="Out.")
            big = Slot(type=int, capacity=LIMIT)

            def logic(self, tree, text, any_, big): ...
        ''',
    )

    assert spec == RoutineSpec(
        type="mine_m:A",
        slots=(
            SlotSpec("tree", "ast.Module", 16, "A tree."),
            SlotSpec("text", "Text", 3),
            SlotSpec("any_", "object", 1000),
            SlotSpec("big", "int", 1000),
        ),
        events=(EventSpec("out", "list[str] | None", "Out."),),
        doc="Does it.\n\nMore.",
        source=str(tmp_path / "mine_m.py"),
        line=5,
    )


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("Slot(int, 5, 'fail')", SlotSpec("a", "int", 5, overflow="fail")),
        ("Slot(int, overflow='drop_oldest')", SlotSpec("a", "int", overflow="drop_oldest")),
        ("Slot(capacity=5, overflow='drop_newest')", SlotSpec("a", "object", 5, "", "drop_newest")),
        ("Slot(int, LIMIT, HOW)", SlotSpec("a", "int")),
        ("Slot(int, True, 'lose')", SlotSpec("a", "int")),
        ("Slot(int, 5, ['fail'])", SlotSpec("a", "int", 5)),
    ],
)
def test_what_a_slot_does_when_full_is_read(text: str, slot: SlotSpec, tmp_path: Path) -> None:
    spec = reads(tmp_path, f"from penstock import *\nclass A(Routine):\n    a = {text}\n")

    assert spec.slots == (slot,)


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        ("Event(int, True)", True),
        ("Event(int, copy=True)", True),
        ("Event(int)", False),
        ("Event(int, COPY)", False),
        ("Event(int, copy=1)", False),
    ],
)
def test_whether_an_event_copies_is_read(text: str, copy: bool, tmp_path: Path) -> None:
    spec = reads(tmp_path, f"from penstock import *\nclass A(Routine):\n    a = {text}\n")

    assert spec.events == (EventSpec("a", "int", copy=copy),)


def test_config_fields_are_read(tmp_path: Path) -> None:
    spec = reads(
        tmp_path,
        """
        from typing import Annotated, ClassVar, Literal
        from pydantic import BaseModel, ConfigDict, Field
        from penstock import Routine
        LIMIT = 3

        class A(Routine):
            class Config(BaseModel):
                model_config = ConfigDict(extra="forbid")
                kind: ClassVar[str] = "x"
                _private: int = 1
                flag: bool = True
                count: int = Field(default=3, ge=1, le=9, description="How many.")
                ratio: float = -0.5
                name: str
                dots: str = Field(..., min_length=2)
                mode: Literal["fast", "slow"] = "fast"
                one: Literal[1] = 1
                folder: str | None = None
                items: list[int] = [1, 2]
                limit: int = LIMIT
                made: list[str] = Field(default_factory=list)
                size: Annotated[int, Field(gt=0, multiple_of=2)] = 2
                renamed: int = Field(1, alias="otherName")
                pair: tuple[int, int] = (1, 2)

            def logic(self): ...
        """,
    )
    fields = {field.name: field for field in spec.fields}

    def of(name: str) -> tuple[Any, ...]:
        field = fields[name]
        return (field.type, field.default, field.choices, field.constraints, field.computed)

    assert spec.error is None
    assert list(fields) == [
        *("flag", "count", "ratio", "name", "dots", "mode", "one", "folder", "items"),
        *("limit", "made", "size", "otherName", "pair"),
    ]
    assert of("flag") == ("bool", True, (), {}, False)
    assert of("count") == ("int", 3, (), {"ge": 1, "le": 9}, False)
    assert fields["count"].doc == "How many."
    assert of("ratio") == ("float", -0.5, (), {}, False)
    assert of("name") == ("str", REQUIRED, (), {}, False)
    assert of("dots") == ("str", REQUIRED, (), {"min_length": 2}, False)
    assert of("mode") == ("Literal", "fast", ("fast", "slow"), {}, False)
    assert of("one") == ("Literal", 1, (1,), {}, False)
    assert of("folder") == ("json", None, (), {}, False)
    assert fields["folder"].annotation == "str | None"
    assert of("items") == ("json", [1, 2], (), {}, False)
    assert of("limit") == ("json", None, (), {}, True)
    assert of("made") == ("json", None, (), {}, True)
    assert of("size") == ("int", 2, (), {"gt": 0, "multiple_of": 2}, False)
    assert of("pair") == ("json", None, (), {}, True)


def test_base_classes_are_followed_through_files_and_packages(tmp_path: Path) -> None:
    write(tmp_path, "mine_pkg/__init__.py", "from .deep import Root as Top")
    write(
        tmp_path,
        "mine_pkg/deep.py",
        """
        import penstock.flow as pf
        from pydantic import BaseModel

        class Root(pf.Routine):
            first = pf.Slot(int)
            gone = pf.Slot(int)
            class Config(BaseModel):
                a: int = 1
        """,
    )
    spec = reads(
        tmp_path,
        """
        import mine_pkg
        from mine_pkg import Top
        from penstock import *

        class Middle(mine_pkg.Top):
            second = Slot(str)

        class A(Middle):
            gone = None
            class Config(Top.Config):
                b: int = 2
            out = Event(int)
            def logic(self, first, second): ...
        """,
    )

    assert (spec.error, spec.complete) == (None, True)
    assert [slot.name for slot in spec.slots] == ["first", "second"]
    assert [event.name for event in spec.events] == ["out"]
    assert [field.name for field in spec.fields] == ["a", "b"]


def test_what_an_events_type_derives_from_is_found(tmp_path: Path) -> None:
    write(tmp_path, "mine_types.py", "class Animal: ...\nclass Dog(Animal): ...\n")
    spec = reads(
        tmp_path,
        """
        from penstock import Event, Routine
        import mine_types

        class Puppy(mine_types.Dog): ...

        class A(Routine):
            out = Event(Puppy)
            def logic(self): ...
        """,
    )

    assert spec.events[0].bases == ("mine_types.Dog", "Animal")


def test_a_base_nobody_can_follow_leaves_the_spec_incomplete(tmp_path: Path) -> None:
    spec = reads(
        tmp_path,
        """
        from penstock import Routine
        from not_there_at_all import Base

        class A(Base):
            pass
        """,
    )

    assert (spec.error, spec.complete) == (None, False)


@pytest.mark.parametrize(
    ("body", "is_open"),
    [
        ("class Config(BaseModel):\n        a: int = 1", False),
        ("class Config(BaseModel, ):\n        model_config = {'extra': 'allow'}", True),
        ("class Config(BaseModel):\n        model_config = ConfigDict(extra='allow')", True),
        ("class Config(BaseModel):\n        model_config = ConfigDict(title='x')", False),
        ("class Config(Elsewhere):\n        pass", True),
        ("Config = Elsewhere", True),
        ("Config = Here", False),
    ],
)
def test_whether_more_fields_may_be_there_is_known(
    tmp_path: Path, body: str, is_open: bool
) -> None:
    spec = reads(
        tmp_path,
        "from penstock import Routine\n"
        "from pydantic import BaseModel, ConfigDict\n"
        "from not_there_at_all import Elsewhere\n"
        "class Here(BaseModel):\n    a: int = 1\n"
        f"class A(Routine):\n    {body}\n    def logic(self): ...\n",
    )

    assert spec.error is None
    assert spec.open_config == is_open


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("mine_m", "'mine_m': expected 'module:Class'"),
        ("mine_m:", "expected 'module:Class'"),
        ("mine_m:A.B", "expected 'module:Class'"),
        (":A", "'' is no module name"),
        ("../mine_m:A", "'../mine_m' is no module name"),
        ("mine-m:A", "'mine-m' is no module name"),
        ("mine_m..x:A", "is no module name"),
        ("class:A", "'class' is no module name"),
        ("os:path", "os is a module of Python itself"),
        ("os.path:A", "os is a module of Python itself"),
        ("__main__:A", "__main__ is a module of Python itself"),
        ("mine_gone:A", "module mine_gone isn't found in the flow's folders or installed"),
        ("mine_m:Gone", "mine_m.py has no class Gone"),
        ("mine_m:Plain", "mine_m.py: Plain is no Routine"),
        ("mine_m:Idle", "Idle has no logic"),
        ("mine_bad:A", "mine_bad.py: line 2: "),
        ("mine_nul:A", "mine_nul.py: "),
        ("mine_fifo:A", "module mine_fifo isn't found"),
        ("mine_deep:A", "mine_deep.py: "),
    ],
)
def test_a_type_that_cant_be_had_says_why(tmp_path: Path, type_name: str, text: str) -> None:
    write(
        tmp_path,
        "mine_m.py",
        """
        from penstock import Routine
        class A(Routine):
            def logic(self): ...
        class Plain: ...
        class Idle(Routine): ...
        """,
    )
    write(tmp_path, "mine_bad.py", "x = 1\nclass A(:\n")
    write(tmp_path, "mine_nul.py", "x = '\0'")
    write(tmp_path, "mine_deep.py", "x = " + "(" * 5000 + ")" * 5000)
    os.mkfifo(tmp_path / "mine_fifo.py")
    spec = describe(type_name, ["."], tmp_path)

    assert spec.error is not None
    assert text in spec.error
    assert "\n" not in spec.error
    assert not spec.slots


def test_relative_folders_without_a_base_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "mine_m.py", "from penstock import Routine\nclass A(Routine): ...")
    monkeypatch.chdir(tmp_path)

    assert "isn't found" in str(describe("mine_m:A", ["."]).error)


def test_installed_packages_come_after_the_folders(tmp_path: Path) -> None:
    installed = describe("hypothesis:Verbosity")
    write(tmp_path, "hypothesis.py", "from penstock import Routine\nclass Verbosity(Routine): ...")
    mine = describe("hypothesis:Verbosity", [tmp_path])

    assert "Verbosity is no Routine" in str(installed.error) or not installed.complete
    assert mine.source == str(tmp_path / "hypothesis.py")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    text = (
        "from penstock import Routine, Slot\nclass A(Routine):\n    a = Slot({})\n    logic = 1\n"
    )
    first = reads(tmp_path, text.format("int"))
    second = reads(tmp_path, text.format("float"))

    assert [spec.slots[0].type for spec in (first, second)] == ["int", "float"]


def test_the_catalog_lists_routines_and_nothing_else(tmp_path: Path) -> None:
    text = """
    from penstock import Routine
    class {0}(Routine):
        def logic(self): ...
    class _Hidden({0}): ...
    class Abstract(Routine): ...
    class Plain: ...
    """
    write(tmp_path, "mine_b.py", text.format("B"))
    write(tmp_path, "mine_a.py", text.format("A"))
    write(tmp_path, "mine_p/__init__.py", text.format("P"))
    write(tmp_path, "mine_p/inner.py", text.format("Inner"))
    write(tmp_path, "mine_p/deeper/__init__.py", text.format("Deeper"))
    write(tmp_path, "no_package/x.py", text.format("X"))
    write(tmp_path, "not-a-name.py", text.format("N"))
    write(tmp_path, "json.py", text.format("J"))
    write(tmp_path, "mine_broken.py", "class (")

    assert [spec.type for spec in find_routines([tmp_path])] == [
        *("mine_a:A", "mine_b:B", "mine_p:P", "mine_p.inner:Inner"),
    ]
    assert find_routines([tmp_path / "gone"]) == []


def test_a_class_that_is_its_own_base_ends(tmp_path: Path) -> None:
    write(tmp_path, "mine_loop.py", "from mine_m import A as B\nclass A(B): ...")
    spec = reads(tmp_path, "from mine_loop import A as B\nclass A(B): ...\nclass C(C): ...")

    assert "A is no Routine" in str(spec.error)
    assert not describe("mine_m:C", [tmp_path]).complete
    assert find_routines([tmp_path]) == []


def test_a_class_may_replace_the_one_it_derives_from(tmp_path: Path) -> None:
    write(tmp_path, "mine_base.py", WITH_SLOT)
    spec = reads(tmp_path, "from mine_base import A\nclass A(A):\n    def logic(self, a): ...\n")

    assert spec.error is None
    assert [slot.name for slot in spec.slots] == ["a"]


WITH_SLOT = "from penstock import Routine, Slot\nclass A(Routine):\n    a = Slot(int)\n"


@pytest.mark.parametrize("base", ["abc.ABC", "Generic[T]", "dict", "Protocol"])
def test_bases_of_pythons_own_hide_nothing(tmp_path: Path, base: str) -> None:
    spec = reads(
        tmp_path,
        "import abc\nfrom typing import Generic, Protocol, TypeVar\n"
        f"from penstock import Routine\nclass A(Routine, {base}):\n    logic = 1\n",
    )

    assert (spec.error, spec.complete) == (None, True)


def test_modules_full_of_ways_to_each_other_are_read_at_once(tmp_path: Path) -> None:
    """With two stars or two bases each, trying all ways would take ages."""
    for number in range(40):
        stars = f"from mine_{number + 1} import *\n" * 2
        write(tmp_path, f"mine_{number}.py", f"{stars}class C{number}(C{number + 1}, B): ...\n")
    classes = "".join(f"class D{n}(D{n + 1}, D{n + 2}): ...\n" for n in range(100))

    assert not reads(tmp_path, classes, "mine_m:D0").complete
    assert not describe("mine_0:C0", [tmp_path]).complete


MARKER = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
from penstock import Event, Routine, Slot

def boom():
    pathlib.Path(__file__).with_name("ran").touch()
    return 5

class A(Routine):
    a = Slot(int, capacity=boom())
    b = Event(boom())
    def logic(self, a, x=boom()): ...
"""


def test_opening_checking_and_listing_run_nothing(tmp_path: Path) -> None:
    write(tmp_path, "mine_mark.py", MARKER)
    write(tmp_path, "mine_pack/__init__.py", MARKER)
    write(tmp_path, "mine_pack/sub.py", "from mine_mark import A as Base\nclass A(Base): ...")
    path = write(
        tmp_path,
        "x.flow.json",
        """
        {"version": 1, "name": "x", "folders": ["."], "routines": {
         "a": {"type": "mine_mark:A"}, "b": {"type": "mine_pack.sub:A", "config": {"x": 1}}},
         "connections": ["a.b -> b.a"]}
        """,
    )
    before, modules = list(sys.path), set(sys.modules)
    flow = Flow.load(path)
    flow.problems()
    flow.graph()
    flow.to_json()
    flow.refresh()
    specs = find_routines([tmp_path])

    assert [spec.type for spec in specs] == ["mine_mark:A", "mine_pack:A", "mine_pack.sub:A"]
    assert flow.spec("b").slots[0].name == "a"
    assert not list(tmp_path.rglob("ran"))
    assert sys.path == before
    assert not {name for name in set(sys.modules) - modules if name.startswith("mine_")}


def test_specs_and_fields_are_values() -> None:
    assert FieldSpec("a") == FieldSpec("a")
    assert repr(REQUIRED) == "REQUIRED"
    assert RoutineSpec("m:C").with_config({"a": 1}).config == {"a": 1}
    assert RoutineSpec("m:C").class_name == "C"
