"""Register and fuse one pair of images.

Run from the repository root::

    python -m scripts.fuse --fixed MRI.png --moving CT.png --output_dir OUT

Writes ``fused``, ``warped`` (PNG for pictures, ``.nii.gz`` for volumes) and ``ddf.nii.gz``
directly into ``OUT``. This is ``configs/inference.json`` with a list of one pair.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from bundle.inference import or_exit, pair_record, run_pairs
from bundle.inference.datalist import MODALITIES
from bundle.volumes.start import INITS

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr if the pair cannot be done.
    """
    options = _parser().parse_args(arguments)
    record = or_exit(
        pair_record, options.fixed, options.moving, options.output_dir, options.modality
    )
    config = ConfigParser()
    config.read_config(ROOT / "configs" / "inference.json")
    config["bundle_root"] = str(ROOT)
    config["overwrite"] = options.overwrite
    config["dataset"]["data"] = (record,)  # a tuple: the parser leaves '@' in paths alone
    config["init"] = options.init
    if options.device is not None:
        config["device"] = options.device
    config.update(overrides)
    run_pairs(config.get_parsed_content("evaluator"))
    print(f"results in {options.output_dir}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.fuse")
    parser.description = "Register the moving image onto the fixed one and fuse the two."
    parser.add_argument("--fixed", required=True, help="reference image (MRI)")
    parser.add_argument("--moving", required=True, help="image to register (CT, PET or SPECT)")
    parser.add_argument("--output_dir", required=True, help="folder for the results")
    parser.add_argument("--modality", choices=MODALITIES, help="modality of the moving image")
    parser.add_argument("--init", choices=INITS, default="rigid", help="3D start of volumes")
    parser.add_argument("--device", help="such as cpu or cuda:0; by default the GPU if any")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    return parser


if __name__ == "__main__":
    main()
