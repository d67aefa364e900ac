"""Headers that were changed at random: right, warned of or refused; no crash, hang or flood."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNT = os.environ.get("BIMSREC_MUTATIONS", "150")
"""Files that are tried; 2000 take some minutes."""


def test_changed_headers_are_read_right_or_refused():
    # a process of its own, whose memory is limited and which a crash may end
    command = [sys.executable, "-W", "ignore", "-m", "tests.images.mutations", "--count", COUNT]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["bad"] == []
    assert sum(said["outcomes"].values()) == int(COUNT)
    assert min(said["outcomes"][kind] for kind in ("right", "refused")) > int(COUNT) // 10
