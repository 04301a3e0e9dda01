"""Small questions to a syntax tree."""

from __future__ import annotations

import ast
from typing import Any, Final, Literal

_PARSE_ATTEMPTS = 5


def parsed(
    source: str | bytes, filename: str = "<unknown>", mode: Literal["exec", "eval"] = "exec"
) -> Any:
    """The tree of a source text; raises as `ast.parse` does, but ValueError for SystemError.

    Python 3.11 counts the depth of trees per process: a garbage collection inside the parser that
    lets another thread parse raises SystemError here, for a text that has nothing wrong.
    """
    reason = ""
    for _ in range(_PARSE_ATTEMPTS):
        try:
            return ast.parse(source, filename=filename, mode=mode)
        except SystemError as error:
            reason = str(error)
    raise ValueError(f"Python's parser failed: {reason}")


def dotted_name(node: ast.expr) -> str:
    """``a.b.C`` as text, arguments in brackets left out; "" for any other expression."""
    if isinstance(node, ast.Subscript):
        return dotted_name(node.value)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    """Name and value of a plain assignment to one name."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return None, None
    return (target.id, value) if isinstance(target, ast.Name) else (None, None)


def type_text(node: ast.expr | None) -> str:
    """A type as it is written; a name in quotes without them."""
    if node is None:
        return "object"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node)


NO_LITERAL: Final = object()


def literal(node: ast.expr | None, default: Any) -> Any:
    """The value of a literal; `default` when there is none or it is computed."""
    if node is None:
        return default
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return default
