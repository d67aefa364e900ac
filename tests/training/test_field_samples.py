"""Which prepared heads and samples are taken as made."""

from __future__ import annotations

import shutil

from bundle.paths import MODEL
from scripts import field_samples


def folders_of(heads, folder, monkeypatch):
    """Where the command puts prepared heads and samples."""
    found = []
    monkeypatch.setattr(field_samples, "_each", lambda _, path, *others: found.append(path))
    field_samples.main(["--heads", str(heads), "--output_dir", str(folder)])
    prepared, samples = {path.parent for path in found[::2]}, {path.parent for path in found[1::2]}
    assert samples == {field_samples.samples_in(folder, heads, MODEL)}
    return prepared | samples


def test_nothing_is_taken_that_was_made_of_other_heads_or_by_another_version(tmp_path, monkeypatch):
    one = tmp_path / "one"
    one.mkdir()
    for name in ("head_01.nii.gz", "head_15.nii.gz"):
        (one / name).touch()
    first = folders_of(one, tmp_path, monkeypatch)
    assert len(first) == 2
    copied = shutil.copytree(one, tmp_path / "two")
    (copied / "README.md").write_text("of the heads")
    assert folders_of(copied, tmp_path, monkeypatch) == first
    (copied / "head_01.nii.gz").write_bytes(b"another head")
    assert not folders_of(copied, tmp_path, monkeypatch) & first
    (one / "head_02.nii.gz").touch()  # the seeds of those behind it change
    assert not folders_of(one, tmp_path, monkeypatch) & first
    (one / "head_02.nii.gz").unlink()
    monkeypatch.setattr("bundle.training.combiner.plan.__version__", "0.0.0")
    assert not folders_of(one, tmp_path, monkeypatch) & first
