"""A file that somebody chose: a workbook, a text, or something that is neither.

What cannot be read is told by its first bytes, whatever its name says, and answered
with what to do about it.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage

from .bombs import BROKEN
from .encodings import decode
from .reader import read_sheet
from .tables import Sheet
from .workbooks import read_workbook

# In bytes and in characters. Django takes 2.5 MB in a form, and what was read comes
# back in one.
LARGEST_INPUT = 1_000_000

_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype|\?xml|html|head|meta|body|table|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORKBOOK = "xl/workbook.xml"
_SAVE_AGAIN = gettext_lazy("Open it in the spreadsheet and save it as .xlsx or as CSV.")


@private
def read_upload(data: bytes) -> Sheet:
    """Return the recipients of a file, with what was guessed in ``remarks``.

    Raise InvalidMessage for what cannot be read, with "file" as the field, or
    "recipients" for what it holds.
    """
    if len(data) > LARGEST_INPUT:
        reason = _("The file is too large; give at most %(limit)s kB at a time.")
        raise InvalidMessage("file", reason % {"limit": LARGEST_INPUT // 1000})
    if data.startswith(b"PK\x03\x04"):
        _refuse_other_archives(data)
        return read_workbook(data)
    _refuse_other_formats(data)
    text, remarks = decode(data)
    sheet = read_sheet(text)
    return replace(sheet, remarks=(*remarks, *sheet.remarks))


def _refuse_other_formats(data: bytes) -> None:
    if data.startswith(_OLD_EXCEL):
        raise _refusal(
            _("This is a workbook of old Excel (.xls), or one with a password.")
        )
    if _HTML.match(data[:1000]):
        raise _refusal(_("This is a web page or XML, whatever its name says."))
    if data.startswith(b"%PDF"):
        raise _refusal(_("This is a PDF document."))


def _refuse_other_archives(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = set(archive.namelist())
            kind = _mimetype(archive) if "mimetype" in members else b""
    except BROKEN:
        raise _refusal(_("The file is damaged, or was not uploaded whole.")) from None
    if kind.startswith(b"application/vnd.oasis"):
        raise _refusal(_("This is an OpenDocument file (.ods)."))
    if "xl/workbook.bin" in members:
        raise _refusal(_("This is a binary workbook (.xlsb)."))
    if _WORKBOOK not in members:
        raise _refusal(_("This is an archive, not a workbook."))


def _mimetype(archive: zipfile.ZipFile) -> bytes:
    with archive.open("mimetype") as member:
        return member.read(100)


def _refusal(what: str) -> InvalidMessage:
    return InvalidMessage("file", f"{what} {_SAVE_AGAIN}")
