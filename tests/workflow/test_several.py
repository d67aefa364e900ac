"""Several moving images: their names and folders."""

import pytest

from bundle.errors import InputError
from bundle.workflow.several import records_of_several


def folders(moving, modalities=()):
    records = records_of_several("mri.nii.gz", moving, modalities, "out")
    return [(one["moving"], one["output_dir"], one.get("modality")) for one in records]


def test_the_modality_names_a_folder_where_it_is_alone():
    assert folders(["a/x.nii.gz", "y.nii"], ["CT", "PET"]) == [
        ("a/x.nii.gz", "out/ct", "CT"),
        ("y.nii", "out/pet", "PET"),
    ]
    assert folders(["fdg.nii.gz", "pib.nii.gz", "c.nrrd"], ["PET", "PET", "CT"]) == [
        ("fdg.nii.gz", "out/fdg", "PET"),
        ("pib.nii.gz", "out/pib", "PET"),
        ("c.nrrd", "out/ct", "CT"),
    ]
    assert [folder for _, folder, _ in folders(["x.nii.gz", "y.png"])] == ["out/x", "out/y"]


@pytest.mark.parametrize(
    ("moving", "modalities", "text"),
    [
        (["a.nii", "b.nii"], ["CT"], "names 1 for 2 moving images; name one for each"),
        (["a.nii", "b.nii"], ["CT"] * 3, "names 3 for 2 moving images"),
        (["1/a.nii", "2/a.nii.gz"], [], "1/a.nii, 2/a.nii.gz: would have one folder of results"),
        (["1/pet.nii", "ct.nii"], ["CT", "SPECT"], None),
    ],
)
def test_what_cannot_be(moving, modalities, text):
    if text is None:
        assert len(folders(moving, modalities)) == 2
        return
    with pytest.raises(InputError, match=text):
        folders(moving, modalities)
