"""Evaluation: complete tables, rows that mean what they say, the same files every time."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.bundle import run
from torch.nn.functional import interpolate

from bundle.evaluation.control import ControlledDataset, other_patients
from bundle.evaluation.evaluation import evaluate_step, evaluation_pairs
from bundle.evaluation.files import case_notes
from bundle.evaluation.reference_rows import Pair, method_row
from bundle.geometry.warp import warp
from bundle.networks import BiMSRec
from bundle.phantom.pairs import write_pairs
from bundle.training.aanlib import one_subject_of

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ["aligned", "small", "medium", "large"]
BLENDS = [f"own warped + blend w={w}" for w in (0.2, 0.4, 0.6, 0.8, 1.0)]
FUSION = ["BiMSRec", "copy of fixed", "copy of moving", *BLENDS]
FUSION += ["no registration + maximum", "true field + maximum"]
REGISTRATION = ["BiMSRec", "no registration + maximum", "true field + maximum"]
REGISTRATION += ["another patient's fixed"]
FILES = ("metrics.csv", "run.json", "summary.json", "summary.md")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two SPECT pairs of 64 x 64 pixels and the checkpoint of an untrained network."""
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, 2, size=64, split="val")
    for other in ("CT-MRI", "PET-MRI"):
        shutil.rmtree(folder / other)
    torch.manual_seed(0)
    torch.save(BiMSRec().state_dict(), folder / "untrained.pt")
    return folder


def evaluate(data: Path, output_dir: Path, **overrides) -> Path:
    """Run the bundle as the command line does."""
    settings = {
        "dataset_dir": str(data),
        "output_dir": str(output_dir),
        "checkpoint": str(data / "untrained.pt"),
        "image_size": 64,
        "device": "$torch.device('cpu')",
    }
    configs = [str(ROOT / "configs" / name) for name in ("train.json", "evaluate.json")]
    run("evaluating", config_file=configs, **{**settings, **overrides})
    return output_dir


@pytest.fixture(scope="module")
def first(data, tmp_path_factory) -> Path:
    return evaluate(data, tmp_path_factory.mktemp("first"), save_fields="true")


@pytest.fixture(scope="module")
def table(first) -> dict[tuple[str, str, str], dict[str, str]]:
    with (first / "metrics.csv").open(newline="") as handle:
        return {(row["level"], row["pair"], row["row"]): row for row in csv.DictReader(handle)}


def test_every_pair_has_every_row_at_every_level(table):
    pairs = {pair for _, pair, _ in table}
    rows = {*FUSION, *REGISTRATION}
    assert len(pairs) == 2
    assert set(table) == {(level, p, row) for level in LEVELS for p in pairs for row in rows}
    for (_, _, name), row in table.items():
        assert (row["SSIM_A"] != "") == (row["VIFF"] != "") == (name in FUSION)
        assert (row["RES"] != "") == (row["EPE"] != "") == (name in REGISTRATION)
        assert (row["EPE_flow1"] != "") == (row["EPE95_flow10"] != "") == (name == "BiMSRec")


def test_reference_rows_are_what_they_are_called(table):
    for (level, pair, name), row in table.items():
        if name == "copy of fixed":
            assert float(row["SSIM_A"]) == float(row["VIF_A"]) == 1
            assert float(row["SSIM_B"]) < 1
        if name == "true field + maximum":
            assert float(row["EPE"]) == 0
            assert float(row["RES"]) < 0.15
            nothing = table[level, pair, "no registration + maximum"]
            assert float(nothing["EPE"]) == pytest.approx(float(row["displacement"]), rel=0.05)
            assert float(nothing["displacement"]) == 0
            assert float(nothing["RES"]) >= float(row["RES"])
        if level == "aligned" and name == "copy of moving":
            assert float(row["SSIM_B"]) == 1


def test_summaries_agree_with_the_table(first, table):
    summary = json.loads((first / "summary.json").read_text(encoding="utf-8"))
    assert len(summary) == len(LEVELS) * len({*FUSION, *REGISTRATION})
    large = [float(row["EPE"]) for (level, _, name), row in table.items()
             if (level, name) == ("large", "BiMSRec")]  # fmt: skip
    found = [g for g in summary if (g["level"], g["row"]) == ("large", "BiMSRec")]
    assert found[0]["measures"]["EPE"]["mean"] == pytest.approx(np.mean(large), abs=1e-6)
    text = (first / "summary.md").read_text(encoding="utf-8")
    assert "SPECT: 2 pairs of" in text
    assert "## SPECT, medium" in text


def test_saved_field_restores_the_saved_picture_in_itk(first, table):
    pair = next(pair for _, pair, _ in table)
    aligned = sitk.ReadImage(str(first / "fields" / f"SPECT_{pair}_aligned.png"), sitk.sitkFloat32)
    stem = first / "fields" / f"SPECT_{pair}_large"
    deformed = sitk.ReadImage(f"{stem}.png", sitk.sitkFloat32)
    field = sitk.ReadImage(f"{stem}.nii.gz", sitk.sitkVectorFloat64)
    restored = sitk.Resample(deformed, aligned, sitk.DisplacementFieldTransform(field))
    before, after = (
        np.abs(sitk.GetArrayFromImage(image) - sitk.GetArrayFromImage(aligned)).mean()
        for image in (deformed, restored)
    )
    assert after < 0.4 * before


def test_second_run_writes_the_same_bytes(data, first, tmp_path):
    second = evaluate(data, tmp_path / "second")
    for name in FILES:
        assert (second / name).read_bytes() == (first / name).read_bytes()
    assert str(data) not in (second / "summary.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in second.iterdir()) == sorted(FILES)


def test_what_was_evaluated_is_written_without_paths(data, first):
    run = json.loads((first / "run.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((data / "untrained.pt").read_bytes()).hexdigest()
    (note,) = run.pop("notes")
    assert run == {"weights_sha256": digest[:12], "image_size": 64, "pairs": {"SPECT": 2}}
    assert note in (first / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"checkpoint": "none.pt"}, "none.pt: no such file"),
        ({"dataset_dir": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_bad_input_ends_with_one_line(overrides, message, data, tmp_path):
    with pytest.raises(SystemExit, match=f"^error: [^\n]*{message}[^\n]*$"):
        evaluate(data, tmp_path, **overrides)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["metrics.csv", "run.json", "fields/CT_9_small.png"])
def test_existing_results_are_kept_unless_overwrite(name, data, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SystemExit, match=rf"^error: .*{name}: exists .* --overwrite true$"):
        evaluate(data, tmp_path, overwrite="false")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_pictures_too_small_for_the_measures_are_refused_before_any_work(data, tmp_path):
    with pytest.raises(SystemExit, match="^error: --image_size 32: give 44 or more[^\n]*$"):
        evaluate(data, tmp_path / "out", image_size=32)
    assert not (tmp_path / "out").exists()


def test_weights_that_training_begins_with_are_refused(data, tmp_path):
    with pytest.raises(SystemExit, match="^error: initial_weights a.pt: .* with --checkpoint$"):
        evaluate(data, tmp_path / "out", initial_weights="a.pt")


def test_overwrite_leaves_nothing_of_the_earlier_evaluation(data, first, tmp_path):
    (tmp_path / "fields").mkdir()
    older = ["fields/CT_9_small.png", "fields/CT_9_large.nii.gz", "metrics.csv"]
    for name in [*older, "fields/mine.png"]:
        (tmp_path / name).write_text("older")
    with pytest.raises(SystemExit, match="no such file"):
        evaluate(data, tmp_path, overwrite="true", checkpoint="none.pt")
    assert all((tmp_path / name).read_text(encoding="utf-8") == "older" for name in older)
    evaluate(data, tmp_path, overwrite="true", save_fields="true")
    expected = {path.relative_to(first) for path in first.rglob("*")} | {Path("fields/mine.png")}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == expected


class TrueField(torch.nn.Module):
    """Hands out the true field, and the maximum by it; nothing beside another fixed image."""

    def __init__(self, fixed, ddf):
        super().__init__()
        self.fixed, self.ddf = fixed, ddf

    def register(self, image):
        return self.ddf * torch.allclose(image[:, :1], self.fixed, atol=0.003)

    def all_fields(self, image):
        return {"flows": torch.stack([self.register(image), 0 * self.ddf], dim=1)}

    def forward(self, image):
        ddf = self.register(image)
        warped = warp(image[:, 1:], ddf).float()
        return torch.cat([torch.maximum(image[:, :1], warped), ddf], dim=1)


def test_a_perfect_network_reaches_the_ceiling_and_fails_the_control():
    generator = torch.Generator().manual_seed(1)

    def smooth(channels, scale):
        coarse = torch.rand(1, channels, 9, 9, generator=generator) * scale
        return interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 1)

    fixed, deformed, ddf = smooth(1, 1.0), smooth(3, 1.0), 4 * smooth(2, 1.0)
    batch = {
        "fixed": fixed, "deformed": deformed, "ddf": ddf, "other_fixed": smooth(1, 1.0),
        "aligned": warp(deformed, ddf).float(),
        "modality": ["CT"], "level": ["small"], "case": ["1"], "name": ["1001"],
    }  # fmt: skip
    state = SimpleNamespace(device="cpu")
    engine = SimpleNamespace(network=TrueField(fixed, ddf), amp=False, state=state)
    rows = {row["row"]: row for row in evaluate_step(engine, batch)}
    ours, ceiling = rows["BiMSRec"], rows["true field + maximum"]
    measures = [name for name in ceiling if name != "row"]
    assert {name: ours[name] for name in measures} == pytest.approx(
        {name: ceiling[name] for name in measures}, abs=1e-3
    )
    assert ours["EPE"] == ours["EPE_flow1"] == 0
    nothing, control = rows["no registration + maximum"], rows["another patient's fixed"]
    assert control["EPE"] == nothing["EPE"] == pytest.approx(ours["EPE_flow2"])
    assert control["EPE"] > 1
    assert rows["own warped + blend w=1.0"]["VIF"] == ceiling["VIF"]
    assert {row["pair"] for row in rows.values()} == {"1001"}


def pairs_named(*names: str, modality: str = "CT") -> list[dict[str, str]]:
    return [
        {"modality": modality, "name": name, "case": name[:-3], "level": level}
        for level in ("aligned", "small")
        for name in names
    ]


def test_control_is_another_case_or_a_far_slice_and_the_same_at_all_levels():
    pairs = pairs_named("1001", "1002", "2001", "2002", "2003", "2004")
    assert other_patients(pairs) == 2 * [2, 4, 0, 0, 1, 1]
    assert other_patients(pairs_named("1001", "1002", "1003", "1004")) == 2 * [2, 3, 0, 1]
    assert other_patients(pairs_named("1001") + pairs_named("1002", modality="PET")) == 4 * [None]


def test_items_carry_their_case_and_the_control(data):
    pairs = pairs_named("1001", "2001")
    items = [{"fixed": torch.full((1, 2, 2), float(k))} for k in range(4)]
    found = ControlledDataset(items, pairs)
    assert [float(item["other_fixed"][0, 0, 0]) for item in found] == [1, 0, 1, 0]
    assert found[3]["case"] == "2" and len(found) == 4
    assert "other_fixed" not in ControlledDataset(items[:1], pairs_named("1001")[:1])[0]


def test_one_subject_is_one_case_and_the_notes_say_so(data):
    assert {pair["case"] for pair in evaluation_pairs(str(data), one_subject=["SPECT"])} == {"one"}
    rows = [{"modality": "PET", "case": "one", "pair": name} for name in ("25001", "41001")]
    rows += [{"modality": "CT", "case": name, "pair": f"{name}001"} for name in "12"]
    pet, ct = case_notes(rows)
    assert pet.startswith("PET: 2 pairs of 1 case.") and "one subject" in pet
    assert ct == "CT: 2 pairs of 2 cases."


@pytest.mark.parametrize(("cases", "expected"), [("25 30 41", ["PET"]), ("25 26", []), ("", [])])
def test_one_subject_is_told_by_the_names_of_aanlib(cases, expected):
    pairs = [{"modality": "PET", "case": case} for case in cases.split()]
    assert one_subject_of([*pairs, {"modality": "CT", "case": "25"}]) == expected


def test_anatomy_of_the_phantom_is_measured(table):
    for (level, _, name), row in table.items():
        assert (row["Dice"] != "") == (name in REGISTRATION)
        if name == "true field + maximum":
            assert float(row["Dice"]) > 0.8
            assert row["TRE"] in ("", "0.000000")
        if level == "large" and name == "no registration + maximum":
            assert float(row["Dice"]) < 0.6
    assert any(row["TRE"] != "" for row in table.values())


def test_bright_places_of_the_fusion_are_measured(table):
    assert all(row["Bright"] == "" for row in table.values())  # blurred SPECT has none
    bone = torch.full((1, 1, 64, 64), 250.0)
    pair = Pair(torch.zeros_like(bone), bone, bone, torch.zeros(1, 2, 64, 64))
    row = method_row(pair, bone / 2, pair.true_ddf, torch.zeros(1, 10, 2, 64, 64))["BiMSRec"]
    assert row["Bright"] == 0.5


def test_colours_of_the_fusion_are_measured(table):
    for (_, _, name), row in table.items():
        assert (row["Delta_E"] != "") == (name == "BiMSRec")
        if row["Delta_E"]:
            assert 0 <= float(row["Delta_E"]) < 60
