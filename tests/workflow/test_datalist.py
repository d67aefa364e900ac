import json

import pytest

from bundle.errors import InputError
from bundle.options import Options
from bundle.workflow.datalist import options_for, pair_record, read_datalist

GOOD = {"id": "a", "fixed": "x.png", "moving": "sub/y.png"}


def read(tmp_path, *entries):
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": entries}))
    return read_datalist(tmp_path / "pairs.json", "out")


def test_relative_paths_count_from_the_list(tmp_path):
    (record,) = read(tmp_path, {**GOOD, "moving": "/abs/y.png", "modality": "pet", "age": 7})
    assert record == {
        "id": "a",
        "fixed": str(tmp_path / "x.png"),
        "moving": "/abs/y.png",
        "modality": "PET",
        "output_dir": "out/a",
    }


def test_relative_paths_count_from_base_dir_if_given(tmp_path):
    (tmp_path / "pairs.json").write_text(json.dumps({"testing": [GOOD]}))
    (record,) = read_datalist(tmp_path / "pairs.json", "out", base_dir="/data")
    assert record["moving"] == "/data/sub/y.png"


def test_numbers_are_ids(tmp_path):
    assert [r["id"] for r in read(tmp_path, {**GOOD, "id": 0}, {**GOOD, "id": 17})] == ["0", "17"]


@pytest.mark.parametrize("series", [["1.2", "1.3"], "1.2,1.3"])
def test_series_are_a_list_or_separated_by_commas(series, tmp_path):
    (record,) = read(tmp_path, {**GOOD, "frame": 3, "series": series})
    assert (record["frame"], record["series"]) == ("3", "1.2,1.3")


@pytest.mark.parametrize("spacing", [[0.9, 0.9, 5], "0.9 0.9 5", "0.9, 0.9, 5"])
def test_a_list_may_state_voxel_sizes_and_two_frames(spacing, tmp_path):
    (record,) = read(tmp_path, {**GOOD, "frame": 3, "fixed_frame": 0, "spacing": spacing})
    options = options_for(record, Options())
    assert (options.frame, options.fixed_frame, options.spacing) == (3, 0, (0.9, 0.9, 5.0))


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"testing": [{**GOOD, "comment": "mine"}]}), encoding="utf-8-sig")
    assert [record["id"] for record in read_datalist(path, "out")] == ["a"]


def test_a_list_that_is_nested_too_deep_is_no_list(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not JSON"):
        read_datalist(path, "out")


def test_without_a_list_there_are_no_pairs():
    assert read_datalist(None, "out") == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": "b", "fixed": "x.png", "mvoing": "y.png"}, "lacks the key 'moving'"),
        ({"fixed": "x.png", "moving": "y.png"}, "lacks the key 'id'"),
        ({**GOOD, "id": "../x"}, "'../x', which cannot name a folder"),
        ({**GOOD, "id": "x\\y"}, "cannot name a folder"),
        ({**GOOD, "id": ".."}, "cannot name a folder"),
        ({**GOOD, "id": "x\ny"}, "cannot name a folder"),
        ({**GOOD, "id": "  "}, "cannot name a folder"),
        ({**GOOD, "id": "x" * 300}, "cannot name a folder"),
        ({**GOOD, "id": ["x"]}, "cannot name a folder"),
        ({**GOOD, "id": "\ud800"}, "cannot name a folder"),
        ({**GOOD, "id": "b", "modalty": "CT"}, "unknown key 'modalty'; did you mean 'modality'"),
        ({**GOOD, "id": "b", "fixed": ["x.png"]}, "give the path of one file"),
        ({**GOOD, "id": "b", "modality": "MRI"}, "use one of CT, PET, SPECT"),
        ({**GOOD, "id": "b", "frame": True}, "the frame True; give its number, from 0"),
        ({**GOOD, "id": "b", "frame": 1.0}, "the frame 1.0; give its number, from 0"),
        ({**GOOD, "id": "b", "fixed_frame": -1}, "the fixed_frame -1; give its number, from 0"),
        (
            {**GOOD, "id": "b", "spacing": [1, 2]},
            "the spacing 1,2: give three sizes in mm, such as",
        ),
        ({**GOOD, "id": "b", "spacing": [1, 2, 0]}, "the spacing 1,2,0: give three sizes in mm"),
        ({**GOOD, "id": "b", "series": 1.2}, "the series 1.2; give UIDs in quotes"),
        (
            {**GOOD, "id": "b", "series": ["1.2", 3.5]},
            "the series ['1.2', 3.5]; give UIDs in quotes",
        ),
        (GOOD, "has the id of entry 1"),
        ("x.png", "must be an object"),
    ],
)
def test_bad_entry_is_told_apart_from_the_good_ones(entry, message, tmp_path):
    good, bad, other = read(tmp_path, GOOD, entry, {**GOOD, "id": "other"})
    assert "error" not in good
    assert "error" not in other
    assert message in bad["error"]
    assert "pairs.json: entry 2" in bad["error"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"testing": []}', "is empty"),
        ('{"testing": {}}', "is empty"),
        ('{"test": [1]}', r"needs the key 'testing'.*found \['test'\]"),
        ("[1]", "needs the key 'testing'"),
        ("pairs: 1", "not JSON"),
        ("", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_bad_list_is_refused(content, message, tmp_path):
    path = tmp_path / "pairs.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_datalist(path, "out")


def test_missing_list_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no readable datalist"):
        read_datalist(tmp_path / "none.json", "out")


def test_single_pair_goes_directly_into_the_folder():
    record = pair_record("f.png", "m.png", "out/here", "CT")
    assert record["output_dir"] == "out/here"
    assert record["modality"] == "CT"


def test_an_initial_transform_counts_from_the_lists_folder(tmp_path):
    entry = {"id": "a", "fixed": "f.nii", "moving": "m.nii", "initial_transform": "t/first.tfm"}
    wrong = {**entry, "id": "b", "initial_transform": 5}
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"testing": [entry, wrong]}), encoding="utf-8")
    first, second = read_datalist(path, tmp_path / "out")
    assert first["initial_transform"] == str(tmp_path / "t" / "first.tfm")
    assert options_for(first, Options()).initial_transform == tmp_path / "t" / "first.tfm"
    assert "'initial_transform' = 5; give the path of a file" in second["error"]
