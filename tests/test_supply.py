"""What is installed beside the right to publish, and what users may be left with."""

from __future__ import annotations

import re

from tests.pages import ROOT

WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text()


def jobs() -> dict[str, str]:
    """Return the text of each job by its name."""
    _head, _jobs, rest = WORKFLOW.partition("\njobs:\n")
    parts = re.split(r"^  (\w+):\n", rest, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_release_is_built_and_uploaded_with_what_is_known_by_hash():
    for name in ("build", "publish"):
        installs = re.findall(r"pip install (.*)", jobs()[name])
        assert installs == ["--require-hashes --no-deps -r .ci/release.txt"], name
    assert ".ci/build --no-isolation" in jobs()["build"]
    assert "id-token: write" not in "".join(
        job for name, job in jobs().items() if name != "publish"
    )


def test_every_requirement_of_a_release_has_a_hash():
    listed = (ROOT / ".ci/release.txt").read_text()
    names = re.findall(r"^([a-z0-9-]+)==\S+ \\\n    --hash", listed, re.MULTILINE)
    assert len(names) == len(re.findall(r"^[a-z]", listed, re.MULTILINE))
    assert {"build", "setuptools", "twine"} <= set(names)
