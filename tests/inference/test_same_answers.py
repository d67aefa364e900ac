"""The command, the list, Python and scripts.apply say the same of the same files."""

from __future__ import annotations

import re

import pytest
import SimpleITK as sitk

from bundle import register_and_fuse
from bundle.errors import InputError
from scripts import apply, fuse
from tests.images.odd_inputs import ODD, fixed_of


def words_of(options):
    """Options as a command takes them."""
    words = []
    for name, value in options.items():
        values = value if isinstance(value, tuple) else () if value is True else (value,)
        words += [f"--{name}", *map(str, values)]
    return words


def said_by(command, words, capsys):
    """The line of a command that stops or warns."""
    capsys.readouterr()
    try:
        command(words)
    except SystemExit as stop:
        text = f"{stop.code}\n{capsys.readouterr().err}"
    else:
        text = capsys.readouterr().err
    (line,) = [one for one in text.splitlines() if one.startswith(("error:", "warning:"))]
    return line


@pytest.mark.parametrize("name", ODD)
def test_four_ways_say_the_same(name, tmp_path, capsys, infer, stub):
    write, options, message = ODD[name]
    fixed, moving = str(fixed_of(tmp_path)), str(write(tmp_path))
    try:
        report = register_and_fuse(
            fixed, moving, "CT", **options, init="none", rigid_only=True
        ).report
        lines = {"python": "\n".join(one.text for one in report.warnings)}
    except InputError as error:
        lines = {"python": str(error)}
    sides = ["--fixed", fixed, "--moving", moving, "--output_dir", str(tmp_path / "one")]
    quick = ["--init", "none", "--rigid_only", "--modality", "CT", "--device", "cpu"]
    lines["fuse"] = said_by(fuse.main, [*sides, *quick, *words_of(options)], capsys)
    strict = {"strict": True} if options.get("strict") else {}
    entry = {key: value for key, value in options.items() if key != "strict"}
    entry |= {"series": list(entry["series"])} if "series" in entry else {}
    pair = {"id": "a", "fixed": fixed, "moving": moving, "modality": "CT", **entry}
    lines["list"] = said_by(lambda _: infer(pair, rigid_only=True, **strict), [], capsys)
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "t.h5"))
    sides = ["--reference", fixed, "--moving", moving, "--transform", str(tmp_path / "t.h5")]
    words = [*sides, "--output", str(tmp_path / "o.nii.gz"), *words_of(options)]
    lines["apply"] = said_by(apply.main, words, capsys)
    for way, line in lines.items():
        assert re.search(message, line), (way, line)
    ends = {
        re.sub(r"^.*\b(a\.nii|a\.nrrd|a|moving volume): ", "", line.split(tmp_path.name)[-1])
        for line in lines.values()
    }
    assert len(ends) == 1, lines
    refused = lines["fuse"].startswith("error:")
    assert refused != (tmp_path / "one" / "fused.nii.gz").exists()
    assert refused != (tmp_path / "o.nii.gz").exists()
