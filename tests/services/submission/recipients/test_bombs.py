"""Small files that hold much, or something that only an attacker would write."""

from __future__ import annotations

import io
import zipfile

import pytest

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients import bombs, workbooks
from negin_sms.services.submission.recipients.uploads import read_upload
from negin_sms.services.submission.recipients.workbooks import read_workbook

from .test_workbooks import FIRST, HEADING, SARA, make, replaced

STYLES = "xl/styles.xml"
END = b"</sheetData>"


@pytest.fixture(autouse=True)
def _never_opened(monkeypatch):
    """None of them is read: what they cost is the reading."""
    monkeypatch.setattr(workbooks, "_open", None)


def refusal(data: bytes) -> str:
    assert len(data) < 100_000
    with pytest.raises(InvalidMessage) as caught:
        read_workbook(data)
    assert caught.value.field == "file"
    return str(caught.value)


def with_sheet(content: bytes) -> bytes:
    return replaced(make([HEADING, SARA]), FIRST, END, content + END)


def with_member(name: str, content: bytes, packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO(make([HEADING]))
    with zipfile.ZipFile(out, "a", packed) as file:
        file.writestr(name, content)
    return out.getvalue()


def test_ordinary_workbook_passes():
    bombs.refuse_bombs(make([HEADING, SARA]))


@pytest.mark.parametrize(
    "content",
    [
        b'<c r="A1"/>' * 400_000,
        b"<c " + b'a="" ' * 400_000 + b"/>",
        b" " * 40_000_000,
    ],
    ids=["cells", "attributes", "blanks"],
)
def test_large_sheet_is_refused(content):
    assert "too much" in refusal(with_sheet(content))


def test_much_of_anything_else_is_refused():
    data = with_member("xl/media/image1.png", b"\0" * 40_000_000)
    assert "too much" in refusal(data)


def test_many_styles_are_refused():
    data = replaced(
        make([HEADING]), STYLES, b"</cellXfs>", b"<xf/>" * 40_000 + b"</cellXfs>"
    )
    assert "too much" in refusal(data)


def test_many_sheets_are_refused():
    names = b'<sheet name="x"/>' * 300
    data = replaced(
        make([HEADING]), "xl/workbook.xml", b"</sheets>", names + b"</sheets>"
    )
    assert "too much" in refusal(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_type_is_refused(encoding):
    """Its entities are multiplied by whoever reads them."""
    kind = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    assert "cannot be read" in refusal(with_member("x.xml", kind.encode(encoding)))


def test_document_type_is_found_between_two_pieces():
    for ahead in range(65_520, 65_540):
        data = with_member("x.xml", b" " * ahead + b"<!DOCTYPE x>")
        assert "cannot be read" in refusal(data)


@pytest.mark.parametrize("mark", ['"', "'"])
def test_long_format_is_refused(mark):
    """Zeros in it are as many in each cell; brackets cost their square."""
    style = f"<numFmts><numFmt formatCode={mark}{'[' * 300}{mark}/></numFmts><fonts"
    data = replaced(make([HEADING]), STYLES, b"<fonts", style.encode())
    assert "cannot be read" in refusal(data)


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_ways_to_pack_are_refused(packed):
    """Workbooks know none; one may ask for gigabytes before it has read a byte."""
    assert "cannot be read" in refusal(with_member("x.xml", b"x", packed))


def test_damage_within_is_told():
    data = bytearray(make([HEADING, SARA]))
    at = len(data) // 4
    data[at : at + 20] = b"\xff" * 20
    assert "cannot be read" in refusal(bytes(data))


def test_version_that_nobody_knows_is_told():
    data = make([HEADING])
    entry = data.index(b"PK\1\2")
    with pytest.raises(InvalidMessage) as caught:
        read_upload(data[: entry + 6] + b"\xff\0" + data[entry + 8 :])
    assert caught.value.field == "file"
