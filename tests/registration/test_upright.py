"""Of many placements one in the orientation of the headers is always optimised to the end."""

from __future__ import annotations

import numpy as np

from bundle.registration import rigid as search
from bundle.registration.start_candidates import Candidate, rigid


def test_the_best_one_in_the_orientation_of_the_headers_goes_on(monkeypatch):
    turned = Candidate("turned", rigid(np.diag([-1.0, -1.0, 1.0]), np.zeros(3)))
    upright = Candidate("upright", rigid(np.eye(3), np.array([5.0, 0.0, 0.0])))
    worse = Candidate("worse", rigid(np.eye(3), np.array([50.0, 0.0, 0.0])))
    scores = {5.0: 0.5, 50.0: 0.4, 0.0: 0.9}
    monkeypatch.setattr(search, "similarity", lambda fixed, moving, one: scores[one[0, 3]])
    volumes, reference = (None, None), Candidate("the headers", np.eye(4))
    found = search._upright_first(volumes, [turned, worse, upright], reference)
    assert found == [upright, turned, worse]
    kept = search._best(volumes, found, np.eye(3) * 100, 2, keep=1, least=0.8)
    assert kept == [upright, turned]
    assert search._upright_first(volumes, [turned], reference) == [turned]
