"""The server says of odd files what the command says."""

from __future__ import annotations

import re

import pytest
from fastapi import HTTPException

from scripts.monailabel_app.pipeline import Pipeline
from tests.images.odd_inputs import ODD, fixed_of

OWN_NAMES = {r"a\.nii": "moving image", r"a\.nrrd": "moving image", "a": "moving image"}
"""The server does not tell where its files lie."""


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline("cpu")


@pytest.mark.parametrize("name", ODD)
def test_the_answer_is_that_of_the_command(name, pipeline, tmp_path):
    write, options, message = ODD[name]
    texts = {key: "1.9" if key == "series" else str(value) for key, value in options.items()}
    request = {"fixed": str(fixed_of(tmp_path)), "moving": str(write(tmp_path)), **texts}
    request |= {"modality": "CT", "init": "header"}
    try:
        report = pipeline.run(request, tmp_path / "out", moves=False)
        said = "\n".join(one.text for one in report.warnings)
    except HTTPException as refused:
        assert refused.status_code == 422
        said = refused.detail
    own = next((n for n in OWN_NAMES if message.startswith(n + ":")), None)
    wanted = message if own is None else OWN_NAMES[own] + message.removeprefix(own)
    assert re.search(wanted, said), said
    assert str(tmp_path) not in said
