"""Write docs/options.md and docs/messages.md out of the code, so that they cannot differ from it.

Run from the repository root::

    python -m scripts.reference_pages

The options come from :class:`bundle.options.Options` and the commands' parsers, the messages from
the source text of ``bundle/`` and ``scripts/``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from bundle.options import Options, values_of
from bundle.paths import ROOT
from bundle.workflow.datalist import OWN
from scripts import apply, fuse
from scripts.command import or_exit, program
from scripts.messages import Message, messages

OPTIONS = """# Options

Made by `python -m scripts.reference_pages` out of `bundle/options.py`; do not edit.

`register_and_fuse` in Python takes every option by its name. The last column says where else:

- *fuse*, *apply*: as `--NAME` of `python -m scripts.fuse` and `python -m scripts.apply`;
- *list*: for a single pair in `pairs.json`;
- *bundle*: as `--NAME VALUE` of `monai.bundle run --config_file configs/inference.json`.

"""

MESSAGES = """# Messages

Made by `python -m scripts.reference_pages` out of the code; do not edit. Words in capitals stand
for names and values.

## Warnings and notes

Both are in `report.json` and on the report page; their codes do not change. A warning is also
written on stderr and asks a person to look; with `--strict` it is an error. A note is information.

"""

ERRORS = """
## Errors

Each is one line on stderr after `error: `, or a `bundle.InputError` in Python; the command ends
with status 1, and nothing is left half-written.

"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
    """
    parser = argparse.ArgumentParser(prog=program("reference_pages"))
    parser.description = "Write docs/options.md and docs/messages.md out of the code."
    parser.add_argument("--output_dir", type=Path, default=ROOT / "docs", help="of the pages")
    options = parser.parse_args(arguments)
    or_exit(_write, options.output_dir)


def _write(folder: Path) -> None:
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"options.md": _options_page(), "messages.md": _messages_page()}


def _options_page() -> str:
    commands = {"fuse": _flags(fuse), "apply": _flags(apply)}
    bundle = set(
        json.loads((ROOT / "configs" / "inference.json").read_text(encoding="utf-8"))["options"]
    )
    rows = []
    for name, field in Options.model_fields.items():
        places = [place for place, flags in commands.items() if name in flags]
        places += ["list"] if name in OWN else []
        places += ["bundle"] if name in bundle or name == "device" else []
        rows.append(
            (f"`{name}`", values_of(name), _default(field.default), field.description or "",
             ", ".join(places))
        )  # fmt: skip
    return OPTIONS + _table(("option", "takes", "default", "meaning", "where"), rows)


def _flags(command: object) -> set[str]:
    return {action.dest for action in command._parser()._actions}  # type: ignore[attr-defined]


def _default(value: object) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT).as_posix()}`"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _messages_page() -> str:
    found = messages(ROOT)
    remarks = [(f"`{one.code}`", one.kind, one.text) for one in found if one.code]
    return (
        MESSAGES
        + _table(("code", "kind", "text"), sorted(set(remarks)))
        + ERRORS
        + _table(("from", "message"), sorted(set(_errors(found))))
    )


def _errors(found: Iterable[Message]) -> Iterable[tuple[str, str]]:
    return ((one.room, one.text) for one in found if not one.code)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


if __name__ == "__main__":
    main()
