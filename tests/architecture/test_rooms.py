"""The rooms and their arrows: the contracts hold, each can fail, and the engine never loads Qt."""

from __future__ import annotations

import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

FRONT_DOOR = [
    "Flow",
    "Routine",
    "Slot",
    "Event",
    "Runtime",
    "JobState",
    "JobStatus",
    "Failure",
    "AllSlots",
    "Stop",
    "Continue",
    "Instrument",
    "Debugger",
    "PenstockError",
    "EmitOutsideActivation",
    "Cancelled",
    "SlotFull",
    "UnknownPort",
    "InvalidValue",
    "JobEnded",
    "FlowFileError",
]

BREACHES = [
    ("no-qt", "engine/penstock/flow/breach.py", "def f():\n    import PySide6.QtCore\n"),
    ("engine-rooms", "engine/penstock/flow/breach.py", "import penstock.run\n"),
    ("engine-rooms", "engine/penstock/testing/breach.py", "import penstock.host\n"),
    ("engine-rooms", "engine/penstock/run/breach.py", "import penstock.testing\n"),
    ("host-rooms", "engine/penstock/host/serving/breach.py", "import penstock.host.links\n"),
    ("host-rooms", "engine/penstock/host/crossing/breach.py", "import penstock.host.transport\n"),
    ("front-door", "gui/penstock_gui/widgets/breach.py", "import penstock.flow.flow\n"),
    ("gui-rooms", "gui/penstock_gui/widgets/breach.py", "import penstock_gui.session\n"),
    ("docks-apart", "gui/penstock_gui/docks/log/breach.py", "import penstock_gui.docks.jobs\n"),
]


def test_no_module_of_the_engine_loads_qt() -> None:
    names = [m.name for m in pkgutil.walk_packages(penstock.__path__, "penstock.")]
    assert len(names) > 20
    program = (
        "import importlib, sys\n"
        f"for name in {[n for n in names if not n.endswith('__main__')]!r}:\n"
        "    importlib.import_module(name)\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('PySide6', 'shiboken6')])\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("name", FRONT_DOOR)
def test_the_front_door_has(name: str) -> None:
    assert name in penstock.__all__
    assert hasattr(penstock, name)


def test_every_name_of_the_front_door_exists() -> None:
    assert [name for name in penstock.__all__ if not hasattr(penstock, name)] == []


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "path", "line"), BREACHES)
def test_a_breach_of_the_contract_is_reported(
    contract: str, path: str, line: str, tmp_path: Path
) -> None:
    for folder in ("engine", "gui"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert _lint(tmp_path, contract).returncode == 0

    (tmp_path / path).write_text(line)
    result = _lint(tmp_path, contract)

    assert result.returncode != 0
    assert "BROKEN" in result.stdout, result.stdout + result.stderr


@pytest.mark.slow
def test_a_room_without_a_place_is_reported(tmp_path: Path) -> None:
    for folder in ("engine", "gui"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "engine" / "penstock" / "attic.py").write_text("")

    result = _lint(tmp_path, "engine-rooms")

    assert result.returncode != 0
    assert "attic" in result.stdout, result.stdout + result.stderr


def _lint(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Run one contract over the packages in `folder`, which come before any installed ones."""
    return subprocess.run(
        [str(LINT_IMPORTS), "--contract", contract, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'engine'}:{folder / 'gui'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
