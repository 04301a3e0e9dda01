"""Rules and policies as they are written in a class body: only what is plain there is judged."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from penstock.flow import Flow, RoutineSpec, describe

HEAD = """
import penstock
from penstock import (
    AllSlots, AnySlot, Batch, Continue, Every, Latest, Retry, Routine, Skip, Slot, Stop
)
from penstock.flow import Batch as Chunks
SIZE = 3
"""
ONE = "a = Slot()\n    def logic(self, a): ..."
TWO = "a = Slot()\n    b = Slot()\n    def logic(self, a, b): ..."
SOURCE = "def logic(self): ..."


def reads(folder: Path, *lines: str, before: str = "", bases: str = "Routine") -> RoutineSpec:
    body = "\n    ".join(lines)
    text = f"{HEAD}\n{textwrap.dedent(before)}\nclass A({bases}):\n    {body}\n"
    (folder / "set_m.py").write_text(text, encoding="utf-8")
    spec = describe("set_m:A", [folder])
    assert spec.error is None, spec.error
    return spec


@pytest.mark.parametrize(
    ("line", "ports", "fault"),
    [
        ("activation = Batch(5)", TWO, "activation Batch needs exactly one slot, there are 2"),
        ("activation: object = Batch(SIZE)", TWO, "activation Batch needs exactly one slot"),
        ("activation = Chunks(5)", TWO, "activation Batch needs exactly one slot"),
        ("activation = penstock.Latest()", TWO, "activation Latest needs exactly one slot"),
        ("activation = Latest()", SOURCE, "activation Latest needs slots"),
        ("activation = AnySlot()", SOURCE, "activation AnySlot needs slots"),
        ("activation = AnySlot()", TWO, "activation AnySlot passes one"),
        ("activation = Every(1, times=2)", ONE, "activation Every takes times only"),
        ("activation = Every(1, SIZE)", ONE, "activation Every takes times only"),
        ("activation = Batch(0)", ONE, "activation Batch: size: expected a whole number from 1"),
        ("activation = Batch(0)", TWO, "activation Batch: size: expected a whole number from 1"),
        ("activation = Batch()", ONE, "activation Batch: .*missing 1 required .*'size'"),
        ("activation = Stop()", ONE, "activation: expected an activation rule, got Stop"),
        ("on_error = Latest()", ONE, "on_error: expected an error policy, got Latest"),
        ("on_error = Retry(times=-1)", ONE, "on_error Retry: times: expected a whole number"),
        ("on_error = Retry(-1)", SOURCE, "on_error Retry: times"),
    ],
)
def test_what_is_wrong_and_plain_is_told(line: str, ports: str, fault: str, tmp_path: Path) -> None:
    spec = reads(tmp_path, line, ports)

    assert len(spec.faults) == 1
    assert spec.cautions == ()
    assert re.match(fault, spec.faults[0])


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("activation = Batch(5, max_wait=0.5)", ONE),
        ("activation = AllSlots(match=lambda value: value)", TWO),
        ("activation = Every(1, times=2)", SOURCE),
        ("activation = Every(1, None)", ONE),
        ("activation = Every(1, times=None)", ONE),
        ("activation = AnySlot()", ONE),
        ("activation = Batch", TWO),
        ("activation = Batch(**SIZE)", ONE),
        ("activation = Batch(*SIZE)", ONE),
        ("activation = RULE", TWO),
        ("activation = unknown.Batch(0)", TWO),
        ("activation = make()(0)", TWO),
        ("if SIZE:\n        activation = Batch(2)", TWO),
        ("activation = Batch(2)\n    activation = AllSlots()", TWO),
        ("activation = Batch(2)\n    activation = RULE", TWO),
        ("activation = Batch(2)\n    def activation(self): ...", TWO),
        ("on_error = Retry(on=(OSError,), then=Continue(), times=SIZE)", ONE),
        ("on_error = Skip()", SOURCE),
        ("on_error = None", SOURCE),
    ],
)
def test_what_is_right_or_cant_be_read_isnt_doubted(line: str, ports: str, tmp_path: Path) -> None:
    spec = reads(tmp_path, line, ports)

    assert (spec.faults, spec.cautions) == ((), ())


@pytest.mark.parametrize(
    ("logic", "needed"),
    [
        ("def logic(self, a, b=0): ...", ["a"]),
        ("def logic(self, a=0, *, b): ...", ["b"]),
        ("def logic(self, a=0, /, b=0): ...", ["a"]),
        ("async def logic(self, a=0, *, b=0): ...", []),
        ("def logic(self, **values): ...", []),
        ("@staticmethod\n    def logic(a, b): ...", []),
        ("logic = print", []),
        ("if SIZE:\n        def logic(self, a, b): ...", []),
        ("def logic(self, a, b): ...\n    logic = print", []),
    ],
)
def test_under_any_slot_the_parameters_need_defaults(
    logic: str, needed: list[str], tmp_path: Path
) -> None:
    spec = reads(tmp_path, "activation = AnySlot()", "a = Slot()", "b = Slot()", logic)

    told = [fault.rpartition(": ")[2] for fault in spec.faults]
    assert told == ([", ".join(needed)] if needed else [])


def test_settings_and_logic_are_inherited(tmp_path: Path) -> None:
    before = """
    class Base(Routine):
        activation = AnySlot()
        on_error = Retry()
        a = Slot()
        def logic(self, a): ...
    """

    assert reads(tmp_path, "pass", before=before, bases="Base").faults == ()
    assert reads(tmp_path, "b = Slot()", before=before, bases="Base").faults == (
        "activation AnySlot passes one slot's value by its name;"
        " the parameters of logic need defaults: a",
    )
    assert reads(tmp_path, "a = None", before=before, bases="Base").cautions != ()


def test_slots_that_arent_all_known_arent_judged(tmp_path: Path) -> None:
    spec = reads(
        tmp_path, "activation = Batch(0)", "on_error = Retry()", SOURCE, bases="Unknown, Routine"
    )

    assert not spec.complete
    assert spec.faults == ("activation Batch: size: expected a whole number from 1 on, got 0",)
    assert spec.cautions == ()


def test_a_loaded_flow_has_them_as_problems(tmp_path: Path) -> None:
    wrong = reads(tmp_path, "activation = Batch(2)", TWO)
    source = reads(tmp_path, "on_error = Retry()", SOURCE)
    flow = Flow("f")
    flow.add("wrong", wrong)
    flow.add("source", source)
    told = [(p.severity, p.routine) for p in flow.problems() if p.place in ("wrong", "source")]

    assert told == [("error", "wrong"), ("warning", "source")]


def test_nothing_of_the_source_is_run(tmp_path: Path) -> None:
    spec = reads(tmp_path, "activation = Batch(print('ran') or exit(3))", ONE)

    assert spec.faults == ()
