"""What a workbook may hold: counted as it is unpacked, before anything is read.

A few kilobytes unpack to whatever their author wants, and each thing in them costs a
reader something else. No document type: an entity is written once and read a million
times. Few tags outside of sheets and strings: each is a style, a name or a sheet.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

# What XML costs is its tags, four for a cell and three for a string, and attributes,
# two or three for a cell.
MOST_TAGS = 300_000
_MOST_ATTRIBUTES = 300_000
_MOST_BYTES = 30_000_000
_MOST_OTHER_TAGS = 30_000
_MOST_SHEETS = 255
_LONGEST_FORMAT = 255  # characters, as in Excel
_CHUNK = 65_536
_DATA = ("xl/worksheets/", "xl/sharedStrings.xml")
_SHEET = re.compile(rb"<(?:\w{1,20}:)?sheet\s")
# openpyxl looks for the end of each bracket in it, once for every style.
_LONG_FORMAT = re.compile(
    rb"formatCode\s*=\s*(?:\"[^\"<>]{%d}|'[^'<>]{%d})" % ((_LONGEST_FORMAT + 1,) * 2)
)
_DOCTYPE = b"<!DOCTYPE"
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what workbooks may be packed by
# What zipfile says of an archive that is damaged, or made to be.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(EOFError, OSError, ValueError),
)


class Bomb(Exception):
    """It holds more than anybody's table."""


class Broken(Exception):
    """It cannot be unpacked, or has what no workbook has."""


def refuse_bombs(data: bytes) -> None:
    """Raise Bomb or Broken for an archive that must not be read."""
    count = _Count()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in set(archive.namelist()):
                for chunk in _chunks(archive, name):
                    count.add(name, chunk)
    except BROKEN:
        raise Broken from None


class _Count:
    def __init__(self) -> None:
        self.size = self.tags = self.other_tags = self.attributes = self.sheets = 0
        self._end = b""

    def add(self, name: str, chunk: bytes) -> None:
        plain = chunk.replace(b"\0", b"")  # of UTF-16 this leaves what is looked for
        tags = plain.count(b"<")
        self.size += len(chunk)
        self.tags += tags
        self.attributes += plain.count(b"=")
        if not name.startswith(_DATA):
            self.other_tags += tags
            self.sheets += len(_SHEET.findall(plain))
        self._judge()
        seen = self._end + plain
        if _DOCTYPE in seen or _LONG_FORMAT.search(seen):
            raise Broken
        self._end = plain[-2 * _LONGEST_FORMAT :]

    def _judge(self) -> None:
        if (
            self.size > _MOST_BYTES
            or self.tags > MOST_TAGS
            or self.other_tags > _MOST_OTHER_TAGS
            or self.attributes > _MOST_ATTRIBUTES
            or self.sheets > _MOST_SHEETS
        ):
            raise Bomb


def _chunks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    if archive.getinfo(name).compress_type not in _PACKED:
        raise Broken
    with archive.open(name) as member:
        while chunk := member.read(_CHUNK):
            yield chunk
