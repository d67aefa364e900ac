"""Commands let the garbage collector run less often."""

import subprocess
import sys

from bundle.paths import ROOT
from scripts.collector import SELDOM

WORK = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 1000))  # the last one to be called
from scripts.collector import collect_seldom
collect_seldom()
print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count())
"""


def test_it_runs_less_often_and_leaves_all_alone_at_the_end():
    done = subprocess.run([sys.executable, "-c", WORK], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["True", str(SELDOM), "0", "True"], done.stderr
