"""The pages of docs/: links, navigation, generated pages, and the wording of messages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.messages import messages
from scripts.reference_pages import pages

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
FRONT = [ROOT / name for name in ("README.md", "CHANGELOG.md")]
FOUND = messages(ROOT)
JARGON = re.compile(
    r"likeness|\bmend(s|ed)?\b|stand it after|without a network|\bhand(s|ed)? over|in what shares",
    re.IGNORECASE,
)


def test_the_site_builds_without_a_warning(tmp_path):
    """Pages that the navigation lacks, links and anchors that lead nowhere are warnings."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("page", FRONT, ids=lambda page: page.name)
def test_links_of_the_front_pages_exist(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        assert target.startswith("http") or (ROOT / path).exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.M)
            assert anchor in {
                re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads
            }


def test_every_page_can_be_found_from_the_readme():
    linked = re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(linked) == {path.name for path in DOCS}


@pytest.mark.parametrize("name", ["options.md", "messages.md"])
def test_generated_pages_are_up_to_date(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run: python -m scripts.reference_pages"


@pytest.mark.parametrize("page", [*FRONT, *DOCS], ids=lambda page: page.name)
def test_pages_use_the_terms_of_the_field(page):
    found = JARGON.search(page.read_text(encoding="utf-8"))
    assert not found, found


def test_messages_use_the_terms_of_the_field():
    assert len(FOUND) > 200
    assert not [one for one in FOUND if JARGON.search(one.text)]


def test_codes_of_remarks_are_names():
    remarks = [one for one in FOUND if one.code]
    assert len({one.code for one in remarks}) > 20
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", one.code) for one in remarks)
