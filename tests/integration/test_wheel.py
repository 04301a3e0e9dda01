"""The wheel outside the checkout: it holds everything, runs the census and opens the window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path, timeout: float = 120) -> str:
    """Run a program that sees neither the checkout nor where the tests look for packages."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder)]
    run(*build, str(ROOT), folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel; libraries come from where the tests run."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    site = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder
    )
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site.strip(), "libraries.pth").write_text("\n".join(sorted(ours)) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    run(*pip, "--no-index", "--disable-pip-version-check", str(wheel), folder=folder)
    return folder / "bin"


def test_the_wheel_holds_both_packages_and_the_resources(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {
        "penstock/__init__.py",
        "penstock/py.typed",
        "penstock/_examples/code_census/code_census.flow.json",
        "penstock/_examples/code_census/census.py",
        "penstock/_examples/code_census/samples/nul_bytes.py",
        "penstock_gui/app/__init__.py",
        "penstock_gui/py.typed",
        "penstock_gui/_resources/examples/code_census/census.py",
    } <= names
    for kind in ("fonts", "icons", "themes"):
        assert any(name.startswith(f"penstock_gui/_resources/{kind}/") for name in names), kind
    assert [name for name in names if "__pycache__" in name or name.startswith("tests")] == []


def test_the_installed_packages_are_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = "import penstock, penstock_gui; print(penstock.__file__, penstock_gui.__file__)"

    told = run(installed / "python", "-c", program, folder=tmp_path)

    assert told.count(str(installed.parent)) == 2


def test_the_census_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def f():\n    pass\n")
    (tmp_path / "bad.py").write_text("def f(:\n")
    config = f"find.folder={tmp_path}"

    told = run(
        installed / "penstock", "run", "example:code_census", "-c", config, "--json",
        folder=tmp_path,
    )  # fmt: skip

    result = json.loads(told)
    assert result["status"] == "COMPLETED"
    (totals,) = result["outputs"]["report.totals"]
    assert (totals["files"], totals["parsed"], totals["functions"]) == (2, 1, 1)


def test_the_window_opens_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"

    run(
        installed / "penstock", "open", "example:code_census", "--run",
        "--screenshot", picture, "--quit-after", "3",
        folder=tmp_path,
    )  # fmt: skip

    image = QImage(str(picture))
    assert image.width() >= 800
    colours = {
        image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)
    }
    assert len(colours) > 40, "nothing is drawn"
