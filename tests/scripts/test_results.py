"""The results page out of a small evaluation."""

import json

import pytest

from bundle.evaluation.reference_rows import METHOD, NO_REGISTRATION
from bundle.networks.weights import weights_sha256
from bundle.paths import MODEL
from scripts.results import main


def group(row, level="small", **means):
    measures = {name: {"mean": value} for name, value in means.items()}
    return {"modality": "CT", "level": level, "row": row, "measures": measures}


def test_figures_of_the_evaluation_stand_in_the_page(tmp_path):
    summary = [
        group(METHOD, EPE=1.234, RES=1.0, EPE_flow1=2.345, SD=90.0, Q=0.4321, VIF_B=0.2),
        group(NO_REGISTRATION, EPE=3.456, RES=3.0, SD=91.0, Q=0.3),
    ]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path / "docs")])
    page = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert "3.46 → 1.23" in page
    assert "| CT | small | 3.46 | 1.23 | 2.35 |" in page
    assert "BSAFusion (paper) | 90.24 | 0.42" in page
    assert (tmp_path / "docs" / "images" / "epe.png").stat().st_size > 1000


def test_other_tables_join_where_their_files_are(tmp_path):
    own = [group(METHOD, EPE=1.2, SD=90.0, Delta_E=3.21, Bright=0.912)]
    (tmp_path / "summary.json").write_text(json.dumps(own))
    folders = {"ablation": tmp_path / "a", "baselines": tmp_path / "b", "phantom": tmp_path / "p"}
    options = [word for name, path in folders.items() for word in (f"--{name}", str(path))]
    options += ["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)]
    main(options)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| BiMSRec | CT | small | 3.21 |" in text and "## Colour" in text
    assert "| BiMSRec | CT | small | 0.912 |" in text and "## Bone" in text
    for word in ("Dice", "paper recipe", "LocalNet", "not run", "not been trained"):
        assert word not in text
    assert "images/fields.png" not in text

    for folder in folders.values():
        folder.mkdir()
    (tmp_path / "images" / "fields.png").write_bytes(b"")
    ablation = [group("forward only", EPE=4.5, SD=80.0)]
    (tmp_path / "a" / "ablation.json").write_text(json.dumps(ablation))
    budget = {"max_epochs": 7, "fusion_epochs": 2, "batch_size": 8, "seed": 0, "image_size": 64}
    (tmp_path / "a" / "budget.json").write_text(json.dumps(budget))
    phantom = [group(METHOD, Dice=0.876, TRE=1.23)]
    (tmp_path / "p" / "summary.json").write_text(json.dumps(phantom))
    csv = "modality,level,row,case,pair,EPE,SD\nCT,small,LocalNet + maximum,c,1,2.0,50.0\n"
    csv += "CT,small,LocalNet + maximum,c,2,4.0,60.0\nCT,small,LocalNet + Laplacian,c,1,9.0,\n"
    (tmp_path / "b" / "baselines.csv").write_text(csv)
    main([*options, "--overwrite"])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| forward only | CT | small | 80.00 | – | – | – | 4.50 |" in text
    assert "| BiMSRec | CT | small | 0.876 | 1.23 |" in text
    assert "7 epochs, then 2 of fusion, batches of 8, seed 0, at 64 px" in text
    assert "images/fields.png" in text and "images/methods.png" not in text
    assert "| LocalNet + maximum | CT | small | 3.00 |" in text and "Laplacian |" not in text


def test_an_evaluation_without_rows_is_one_line(tmp_path):
    (tmp_path / "summary.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SystemExit, match="holds no rows"):
        main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    assert not (tmp_path / "results.md").exists()


def test_a_missing_evaluation_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    assert error.value.code != 0
    assert not (tmp_path / "results.md").exists()


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (weights_sha256(MODEL), "of this command, with the weights of this repository, at 64 px"),
        ("0123456789ab", "of this command, with weights 0123456789ab, at 64 px"),
        (None, "of this command, at 64 px"),
    ],
)
def test_the_page_says_what_was_evaluated(weights, said, tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps([group(METHOD, EPE=1.2, SD=90.0)]))
    run = {"weights_sha256": weights, "image_size": 64, "notes": ["CT: 2 pairs of 2 cases."]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert f"{said}:\n" in text and "\n\nCT: 2 pairs of 2 cases.\n\n" in text
    assert "--dataset_dir DIR " in text and "AANLIB" not in text and "one patient:" not in text


def test_of_an_older_evaluation_the_page_names_neither_weights_nor_data(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps([group(METHOD, EPE=1.2, SD=90.0)]))
    main(["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "of this command:\n" in text
    assert "of this repository" not in text and "one subject" not in text


def test_an_existing_page_is_kept_unless_overwrite(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps([group(METHOD, EPE=1.2, SD=90.0)]))
    (tmp_path / "results.md").write_text("mine")
    words = ["--evaluation", str(tmp_path), "--output_dir", str(tmp_path)]
    with pytest.raises(SystemExit, match="results.md: exists already; .* add --overwrite$"):
        main(words)
    assert (tmp_path / "results.md").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "images").exists()
    main([*words, "--overwrite"])
    assert "# Results" in (tmp_path / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["run.json", "budget.json"])
@pytest.mark.parametrize("content", ["{", "[1]"])
def test_unreadable_facts_are_one_line(name, content, tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps([group(METHOD, EPE=1.2, SD=90.0)]))
    (tmp_path / name).write_text(content)
    words = [
        word
        for key in ("evaluation", "ablation", "output_dir")
        for word in (f"--{key}", str(tmp_path))
    ]
    with pytest.raises(
        SystemExit, match=f"^error: [^\n]*{name}: not readable; correct or delete it$"
    ):
        main(words)
