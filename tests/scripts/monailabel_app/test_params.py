"""What ``params`` of a request may say."""

from __future__ import annotations

import json

from bundle.options import Options
from scripts.monailabel_app.params import CLIENTS, TEXTS, texts_of


def test_what_the_clients_of_monai_label_add_is_left_aside():
    slicer = {"client_id": "user-xyz", "label_info": [], "device": "cuda"}
    ohif = {"result_extension": ".nrrd", "result_dtype": "uint16", "result_compress": False}
    given = {"moving": "a", "modality": None, **slicer, **ohif}
    assert texts_of(json.dumps(given)) == {"moving": "a"}


def test_no_option_is_taken_for_a_word_of_a_client():
    assert set(CLIENTS) & {*TEXTS, *Options.model_fields} == {"device"}  # the server chooses it
