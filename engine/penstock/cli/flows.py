"""What ``FLOW`` on a command line stands for: a path, or ``example:NAME`` for a shipped example."""

from __future__ import annotations

from pathlib import Path

from penstock.errors import FlowFileError
from penstock.ids import is_valid_id

PREFIX = "example:"
SUFFIX = ".flow.json"


def resolve(text: str) -> Path:
    """The path of the flow file; raises FlowFileError for an example that isn't shipped."""
    if not text.startswith(PREFIX):
        return Path(text)
    name = text.removeprefix(PREFIX)
    path = examples_folder() / name / f"{name}{SUFFIX}"
    if not is_valid_id(name) or not path.is_file():
        raise FlowFileError(f"{text}: no such example; there are {', '.join(example_names())}")
    return path


def is_example(path: Path) -> bool:
    """Whether that file lies among the shipped examples, which are trusted."""
    return path.resolve().is_relative_to(examples_folder().resolve())


def example_names() -> list[str]:
    """The shipped examples by name."""
    return sorted(
        folder.name
        for folder in examples_folder().iterdir()
        if (folder / f"{folder.name}{SUFFIX}").is_file()
    )


def examples_folder() -> Path:
    """The checkout's examples, or those in the wheel."""
    package = Path(__file__).absolute().parents[1]
    checkout = package.parents[1] / "resources" / "examples"
    return checkout if checkout.is_dir() else package / "_examples"
