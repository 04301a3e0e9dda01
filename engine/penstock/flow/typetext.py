"""Whether the text of an event's type fits that of a slot's: names only, nothing is imported."""

from __future__ import annotations

import ast
from functools import lru_cache

from penstock.flow.spec import EventSpec, SlotSpec
from penstock.flow.syntax import parsed

_MAX_PAIRS = 10_000  # of union members: nobody means more
_ANYTHING = frozenset({"object", "Any"})
_WIDER: dict[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("float", "Integral"),
    "float": ("complex", "Real"),
    "str": ("Sequence",),
    "bytes": ("Sequence", "Buffer"),
    "tuple": ("Sequence",),
    "list": ("MutableSequence",),
    "MutableSequence": ("Sequence",),
    "Sequence": ("Collection", "Reversible"),
    "dict": ("MutableMapping",),
    "defaultdict": ("dict",),
    "OrderedDict": ("dict",),
    "Counter": ("dict",),
    "MutableMapping": ("Mapping",),
    "Mapping": ("Collection",),
    "set": ("MutableSet",),
    "MutableSet": ("Set",),
    "frozenset": ("Set",),
    "Set": ("Collection",),
    "Collection": ("Sized", "Iterable", "Container"),
    "Generator": ("Iterator",),
    "Iterator": ("Iterable",),
    "PosixPath": ("Path",),
    "WindowsPath": ("Path",),
    "Path": ("PurePath",),
    "PurePath": ("PathLike",),
    "datetime": ("date",),
}
_ALIASES = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Type": "type", "NoneType": "None"}


def compatible(event_type: str, slot_type: str) -> str | None:
    """None when such an event fits such a slot, else why not: ``takes str, not Tree``."""
    return _reason(event_type, slot_type, ())


def fits(event: EventSpec, slot: SlotSpec) -> str | None:
    """The same, knowing also what the event's type derives from."""
    return _reason(event.type, slot.type, event.bases)


def _reason(event_type: str, slot_type: str, bases: tuple[str, ...]) -> str | None:
    given, taken = _members(event_type), _members(slot_type)
    if len(given) * len(taken) > _MAX_PAIRS:
        return None
    if all(any(_fits(one, other, bases) for other in taken) for one in given):
        return None
    return f"takes {slot_type}, not {event_type}"


_Type = tuple[str, tuple[str, ...]]  # last part of the name, texts of the arguments


@lru_cache(maxsize=2048)
def _members(text: str) -> tuple[_Type, ...]:
    """The members of a union, each with its arguments."""
    try:
        tree = parsed(text.strip(), mode="eval").body
        return tuple(_flatten(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ((text.strip(), ()),)


def _flatten(tree: ast.expr) -> list[_Type]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        return [*_flatten(tree.left), *_flatten(tree.right)]
    if isinstance(tree, ast.Constant):
        return _of_constant(tree)
    if not isinstance(tree, ast.Subscript):
        return [(_name(tree), ())]
    name = _name(tree.value)
    arguments = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    match name:
        case "Union":
            return [member for argument in arguments for member in _flatten(argument)]
        case "Optional":
            return [*_flatten(arguments[0]), ("None", ())]
        case "Annotated":
            return _flatten(arguments[0])
        case _:
            return [(name, tuple(ast.unparse(argument) for argument in arguments))]


def _of_constant(tree: ast.Constant) -> list[_Type]:
    if isinstance(tree.value, str):  # a name written as text, to be looked up later
        return list(_members(tree.value))
    return [("None" if tree.value is None else repr(tree.value), ())]


def _name(tree: ast.expr) -> str:
    name = tree.attr if isinstance(tree, ast.Attribute) else ast.unparse(tree)
    return _ALIASES.get(name, name)


def _fits(given: _Type, taken: _Type, bases: tuple[str, ...]) -> bool:
    name, arguments = given
    if name in _ANYTHING or taken[0] in _ANYTHING:
        return True
    if name == "Literal" and taken[0] != "Literal":
        return all(_literal_fits(argument, taken) for argument in arguments)
    if name == taken[0]:
        return _arguments_fit(name, arguments, taken[1])
    if taken[0] == "Callable" or (name == "None" and taken[0] == "Hashable"):
        return name not in _WIDER and name != "None"
    return taken[0] in _ancestors(name) or any(
        base.rpartition(".")[2] == taken[0] for base in bases
    )


def _literal_fits(argument: str, taken: _Type) -> bool:
    try:
        value = ast.literal_eval(parsed(argument, mode="eval"))
    except (SyntaxError, ValueError):
        return True  # a member of an enum: its text doesn't say what it is
    return _fits(("None" if value is None else type(value).__name__, ()), taken, ())


def _arguments_fit(name: str, given: tuple[str, ...], taken: tuple[str, ...]) -> bool:
    if name == "Literal":
        return set(given) <= set(taken)
    if not given or not taken or len(given) != len(taken):
        return True  # one of them doesn't say, or says it in another way
    return all(_reason(one, other, ()) is None for one, other in zip(given, taken, strict=True))


def _ancestors(name: str) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        wider = _WIDER.get(todo.pop(), ())
        todo.extend(name for name in wider if name not in found)
        found.update(wider)
    return found
