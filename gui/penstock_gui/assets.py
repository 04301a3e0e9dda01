"""Where the files that come with the program are."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def _root() -> Path:
    """The checkout's ``resources/`` where there is one, else the copy in the wheel."""
    here = Path(__file__).resolve()
    checkout = here.parents[2] / "resources"
    if (checkout / "themes" / "tokens.json").is_file():
        return checkout
    return here.parent / "_resources"


def resource(*parts: str) -> Path:
    """The path of a shipped file or folder, whether it exists or not."""
    return _root().joinpath(*parts)


def examples() -> list[str]:
    """Names of the shipped examples: each is a folder with a flow file of the same name."""
    folder = resource("examples")
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if example(one.name).is_file())


def example(name: str) -> Path:
    """The flow file of a shipped example."""
    return resource("examples", name, f"{name}.flow.json")
