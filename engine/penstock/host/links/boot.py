"""Brings Penstock into a Python that may not have it, and becomes the host there.

Run as a script by the interpreter a user chose, so it imports nothing of Penstock before that is
brought, and older versions can read its syntax, for they must be able to say so. The engine is
always the one this file belongs to, also where another is installed: both sides of a connection are
of one version. Nothing is added to ``sys.path``: what that interpreter lacks is found by name, in
the folder that the variable `LENT` names, and only where compiled modules fit.

A process that ``multiprocessing`` spawns runs this file again, as ``__mp_main__``, and is brought
the same.
"""

import json
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder

LENT = "PENSTOCK_LENT"
OLDEST = (3, 11)
NAMES = (
    "annotated_types",
    "msgspec",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
)


class Lender:
    """Finds some top-level modules in one folder, and nothing else that lies there."""

    def __init__(self, folder: str, names: "tuple[str, ...]") -> None:
        self._folder = folder
        self._names = names

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        """As the interpreter asks its finders."""
        if path is not None or name not in self._names:
            return None
        return PathFinder.find_spec(name, [self._folder])


def lent_by(folder: str) -> str:
    """The value of `LENT` for modules in `folder` that fit this interpreter."""
    return EXTENSION_SUFFIXES[0] + os.pathsep + folder


def bring() -> None:
    """Let ``import penstock`` find this one, and lend what it needs and isn't here."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]  # where a script lies comes first, and no module of ours is a top-level one
    engine = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    ours = Lender(engine, ("penstock",))
    sys.meta_path.insert(0, ours)
    fits, _, folder = os.environ.get(LENT, "").partition(os.pathsep)
    if folder and fits == EXTENSION_SUFFIXES[0]:
        sys.meta_path.append(Lender(folder, NAMES))


def tell(mark: str) -> None:
    """Print after `mark` which Python this is and what keeps the engine from running here."""
    facts = {"version": ".".join(map(str, sys.version_info[:3])), "error": "", "pydantic": ""}
    if sys.version_info >= OLDEST:
        try:
            import penstock.host  # noqa: F401
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
            facts["error"] = "%s: %s" % (type(error).__name__, error)  # noqa: UP031
        facts["pydantic"] = getattr(sys.modules.get("pydantic"), "VERSION", "")
    print("\n" + mark + json.dumps(facts), flush=True)


if __name__ in ("__main__", "__mp_main__"):
    bring()
if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--tell":
        tell(sys.argv[2])
    else:
        import runpy

        # In a namespace of its own: what ``multiprocessing`` spawns is to find this file as main.
        runpy.run_module("penstock.host", run_name="__main__")
