"""Collect the messages for users, errors and remarks, out of the source text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("bundle", "scripts")


@dataclass(frozen=True)
class Message:
    """What a user may be told.

    Attributes:
        kind: ``error``, ``warning``, ``note``, or ``warning or note``.
        code: of a remark; empty for an error.
        text: with capitals in place of names and values, but for numbers that are constants.
        room: where it comes from, such as ``images`` or ``scripts.fuse``.
        line: file and line.
    """

    kind: str
    code: str
    text: str
    room: str
    line: str


def messages(root: Path) -> list[Message]:
    """All messages of ``InputError`` and ``Remark``.

    Args:
        root: of the repository.

    Returns:
        in the order of files and lines; without those that only pass on another message.
    """
    files = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return [one for path in files for one in _of_file(path, root)]


def _of_file(path: Path, root: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    place = path.relative_to(root)
    room = ".".join(place.with_suffix("").parts) if place.parts[0] == "scripts" else place.parts[1]
    texts = {
        node.lineno: (target.id, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    constants = {
        name: value.value
        for name, value in texts.values()
        if name.isupper() and isinstance(value, ast.Constant) and isinstance(value.value, float)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        if called not in ("InputError", "Remark"):
            continue
        text = _text(_resolved(node.args[-1], node.lineno, texts), constants)
        if any(letter.islower() for letter in text):
            code = _text(node.args[0], {}) if called == "Remark" else ""
            kind = _kind(node) if called == "Remark" else "error"
            yield Message(kind, code, text, room.removesuffix(".py"), f"{place}:{node.lineno}")


def _kind(node: ast.Call) -> str:
    """Whether a remark is a warning; some are one or the other."""
    given = {word.arg: word.value for word in node.keywords}.get("warning", ast.Constant(True))
    if not isinstance(given, ast.Constant):
        return "warning or note"
    return "warning" if given.value else "note"


def _resolved(node: ast.expr, line: int, texts: dict[int, tuple[str, ast.expr]]) -> ast.expr:
    """The expression that a variable was last set to above a line."""
    if isinstance(node, ast.Name):
        above = [k for k, (name, _) in texts.items() if name == node.id and k < line]
        if above:
            return texts[max(above)][1]
    return node


def _text(node: ast.expr, constants: Mapping[str, float]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one, constants) for one in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left, constants) + _text(node.right, constants)
    if isinstance(node, ast.FormattedValue):
        node = node.value
    if isinstance(node, ast.Name):
        if node.id in constants:
            return f"{constants[node.id]:g}"
        return node.id.strip("_").upper()
    if isinstance(node, ast.Attribute):
        return node.attr.upper()
    return "..."
