"""The command ``bimsrec`` of the installed package: every script is a subcommand.

::

    bimsrec fuse --fixed mri.nii.gz --moving ct.nii.gz --modality CT --output_dir out
    bimsrec train --dataset_dir my_pairs --ckpt_dir runs/mine
"""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import runpy
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle import __version__
from bundle.paths import IN_CHECKOUT, ROOT

HELPERS = (
    "cli", "collector", "command", "ending", "messages", "monailabel_app", "progress",
    "run_pairs", "slicer_client", "streams",
)  # fmt: skip
"""Modules and folders of ``scripts`` that are no commands."""

DEVELOPERS = ("reference_pages",)
"""Commands that write into the repository: the installed package does not have them."""

MAIN = {
    "fuse": "register and fuse a pair of images, or many",
    "apply": "move another volume, picture or label map by a transform",
    "bids": "register and fuse a whole BIDS dataset, and make a page of the group",
    "label": "serve a folder of images to MONAI Label: bimsrec label STUDIES [PORT]",
    "label_client": "ask a MONAI Label server for a result",
    "train": "train, as monai.bundle run training; a configuration is found in the package",
    "demo": "register and fuse a synthetic head whose misalignment is known",
    "make_phantom": "make synthetic heads, also as a BIDS dataset, to try things on",
    "export": "export the network to ONNX and TorchScript",
}

NO_LABEL = (
    "error: MONAI Label is not installed here; it needs an environment of its own: "
    "docs/monai_label.md"
)
"""What its server and its client say where its package is missing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: as the subcommand; with status 2 if there is none of that name.
    """
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # beside the configurations lie the scripts, which these name
    sys.path.insert(0, str(ROOT))
    if name in ("-h", "--help"):
        print(_help())
    elif name == "--version":
        print(f"BiMSRec {__version__}")
    elif name == "train":
        _run_module("monai.bundle", ["run", "training", *training_options(rest)])
    elif name == "label":
        _label(rest)
    elif name in _scripts():
        _run_module(f"scripts.{name}", rest)
    else:
        print(f"bimsrec {name}: no such command\n\n{_help()}", file=sys.stderr)
        raise SystemExit(2)


def training_options(given: Sequence[str]) -> list[str]:
    """Options of ``monai.bundle run training`` in any folder.

    Args:
        given: options; names such as ``configs/train.json`` are those of the package where this
            folder has no such file.

    Returns:
        them, with the package's configuration and this folder's ``runs/default`` unless others
        are given.

    Raises:
        SystemExit: an option has no value.
    """
    for word, following in zip(given, [*given[1:], "--"], strict=True):
        alone = word.startswith("--") and "=" not in word and word != "--help"
        if alone and following.startswith("--"):
            raise SystemExit(f"error: {word}: value missing; write {word} VALUE")
    words = [re.sub(r"(?<![\w./\\-])configs/[\w/]+\.json", _found, word) for word in given]
    names = {word.partition("=")[0] for word in words}
    defaults = {"config_file": ROOT / "configs/train.json", "ckpt_dir": "runs/default"}
    for name, value in {**defaults, "bundle_root": ROOT}.items():
        if f"--{name}" not in names:
            words += [f"--{name}", str(value)]
    return words


def _found(match: re.Match[str]) -> str:
    """A path that begins with ``configs``: this folder's file, else the package's."""
    ours = not Path(match[0]).is_file() and (ROOT / match[0]).is_file()
    return str(ROOT / match[0]) if ours else match[0]


def _label(words: Sequence[str]) -> None:
    if not 1 <= len(words) <= 2 or not Path(words[0]).is_dir():
        raise SystemExit("error: bimsrec label STUDIES [PORT]; name the folder of the images")
    if importlib.util.find_spec("monailabel") is None:
        raise SystemExit(NO_LABEL)
    port = words[1] if len(words) > 1 else "8000"
    _require_free(port)
    app = ["--app", str(ROOT / "scripts/monailabel_app"), "--studies", words[0]]
    route = ["--uvicorn_app", "scripts.monailabel_app.serve:app", "--log_level", "warning"]
    address = ["--host", "127.0.0.1", "--port", port]
    _run_module("monailabel.main", ["start_server", *app, *route, *address])


def _require_free(port: str) -> None:
    """The server itself would load everything first, and then end with a traceback."""
    try:
        socket.create_server(("127.0.0.1", int(port))).close()
    except (OSError, OverflowError, ValueError):
        raise SystemExit(f"error: port {port}: in use, or no port; choose another PORT") from None


def _run_module(name: str, words: Sequence[str]) -> None:
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _scripts() -> list[str]:
    found = {one.name for one in pkgutil.iter_modules([str(ROOT / "scripts")])}
    return sorted(found - set(HELPERS) - set(() if IN_CHECKOUT else DEVELOPERS))


def _help() -> str:
    lines = [f"  {name:14}{text}" for name, text in MAIN.items()]
    others = ", ".join(name for name in _scripts() if name not in MAIN)
    return "\n".join(
        ["usage: bimsrec COMMAND [options]", "", *lines, "", f"also: {others}",
         "", "bimsrec COMMAND --help lists the options of a command."]
    )  # fmt: skip


if __name__ == "__main__":
    main()
