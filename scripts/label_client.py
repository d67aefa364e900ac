"""Ask a MONAI Label server to register and fuse two images of its datastore.

Run from the repository root, with the environment of the server::

    .venv-label/bin/python -m scripts.label_client --fixed ID --moving ID --output_dir OUT

``--fixed`` and ``--moving`` are ids of the server's datastore, or files, which are uploaded into
it first, under their names and eight digits that tell files of one name apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.cli import NO_LABEL

try:
    from monailabel.client import MONAILabelClient
    from monailabel.client.client import MONAILabelClientException
except ModuleNotFoundError:
    raise SystemExit(NO_LABEL) from None

from bundle.errors import InputError
from bundle.images.kinds import PICTURES, WRITTEN
from bundle.results.folder import RESULTS
from bundle.results.recognised import is_ours, refuse_others
from scripts.command import or_exit, program

SUFFIXES = (*WRITTEN, *PICTURES, ".h5", ".tfm", ".html", ".json")
IMAGES = ("fused.nii.gz", "fused.png", "warped.nii.gz", "warped.png")
MODELS = ("bimsrec", "bimsrec_register", "bimsrec_fuse")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the server cannot do it.
    """
    or_exit(_run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("label_client"))
    parser.description = "Register and fuse two images on a MONAI Label server."
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--fixed", required=True, help="id or file of the reference image")
    parser.add_argument("--moving", help="id or file; without it X_moving goes with X_fixed")
    parser.add_argument("--output_dir", required=True, type=Path, help="folder for the results")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--modality", help="CT, PET or SPECT")
    parser.add_argument("--init", help="3D start of volumes: rigid, header, center, ...")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    return parser


def _run(options: argparse.Namespace) -> None:
    folder: Path = options.output_dir
    _require_address(options.server)
    if any((folder / name).exists() for name in IMAGES) and not options.overwrite:
        raise InputError(f"{folder}: holds results already; name another or add --overwrite")
    params = {"modality": options.modality, "init": options.init}
    with tempfile.TemporaryDirectory() as stage:
        client = MONAILabelClient(options.server, tmpdir=stage)
        try:
            fixed = _uploaded(client, options.fixed)
            if options.moving:
                params["moving"] = _uploaded(client, options.moving)
            given = {key: value for key, value in params.items() if value}
            _, figures = client.infer(options.model, fixed, given)
            files = _downloaded(client, fixed, figures.pop("stored"))
        except MONAILabelClientException as error:
            raise InputError(f"{options.server}: {_detail(error)}") from error
        except OSError as error:
            raise InputError(
                f"{options.server}: no answer ({error}); start it with make label STUDIES=DIR"
            ) from error
        _move(files, folder)
    print(json.dumps(figures, indent=1))
    print(f"results in {folder}")


def _require_address(server: str) -> None:
    try:
        parts = urlsplit(server)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"--server {server}: write it as http://127.0.0.1:8000")


def _uploaded(client: Any, image: str) -> str:
    """The id of an image; a file is uploaded first, unless the server has it already."""
    path = Path(image)
    if not path.is_file():
        return image
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    name = f"{path.name[: len(path.name) - len(_suffix(path))]}-{digest}"
    try:
        return client.upload_image(image, name)["image"]
    except MONAILabelClientException as error:
        if "Status: 409" in str(error.msg):  # the client hands on no status of its own
            return name
        raise


def _suffix(file: Path) -> str:
    """The known suffix of a file's name."""
    return max((s for s in SUFFIXES if file.name.lower().endswith(s)), key=len, default="")


def _downloaded(client: Any, image: str, tags: dict[str, str]) -> dict[str, Path]:
    """Every stored result by the name it gets: the tag's, with the file's suffix."""
    files = {}
    for name, tag in tags.items():
        file = Path(client.download_label(image, tag))
        files[{"figures": "report"}.get(name, name) + _suffix(file)] = file
    return files


def _move(files: dict[str, Path], folder: Path) -> None:
    """Put the results into the folder; those of an earlier pair go."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = any((folder / name).exists() for name in IMAGES)
        names = {*files, *RESULTS} if earlier else set(files)
        older = [folder / name for name in sorted(names) if (folder / name).is_file()]
        refuse_others(*(path for path in older if not earlier or not is_ours(path)))
        for path in older:
            path.unlink(missing_ok=True)
        for name, file in files.items():
            shutil.move(file, folder / name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error}); choose another") from error


def _detail(error: Any) -> str:
    """The server's sentence out of the client's message."""
    text = str(error.msg)
    try:
        return str(json.loads(text[text.index("{") :])["detail"])
    except (ValueError, KeyError):
        return " ".join(text.split())


if __name__ == "__main__":
    main()
