from __future__ import annotations

import pytest

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients.encodings import decode
from negin_sms.services.submission.recipients.reader import read_sheet

TABLE = "نام;موبایل\nسارا;09395213300\nعلی;09395213301\n"
OLD_TABLE = TABLE.replace("ی", "ي")  # the Arabic letter is all that cp1256 has


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "ascii"])
def test_encoding_that_a_file_says_is_no_guess(encoding):
    text = TABLE if encoding != "ascii" else "mobile\n0939\n"
    assert decode(text.encode(encoding)) == (text, ())


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("cp1256", "cp1256"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16")],
)
def test_encoding_that_is_guessed_is_said(encoding, named):
    text, remarks = decode(OLD_TABLE.encode(encoding))
    assert text == OLD_TABLE
    assert named in remarks[0]


@pytest.mark.parametrize(
    "stray", [b"\0", b"\x8d", b"\xff", b"\xd8", b"\xe2\x80", b"\xc0\xaf"]
)
def test_stray_byte_costs_its_line_and_no_name(stray):
    lines = TABLE.encode().splitlines()
    lines[2] = lines[2].replace(b";", stray + b";")
    text, remarks = decode(b"\n".join(lines))
    first, second = read_sheet(text).rows
    assert (first.values, first.problem) == ({"نام": "سارا"}, "")
    assert "damaged" in second.problem
    assert "damaged" in remarks[0]


@pytest.mark.parametrize("encoding", ["ascii", "cp1256"])
def test_zero_byte_costs_its_line_whatever_the_others_are_in(encoding):
    name = "Sara" if encoding == "ascii" else "علي"
    lines = ["mobile,name", *(f"0939521330{n},{name}" for n in range(9))]
    data = "\n".join([*lines, "09395213309,S\0ara"]).encode(encoding)
    text, remarks = decode(data)
    *others, last = read_sheet(text).rows
    assert {(row.values["name"], row.problem) for row in others} == {(name, "")}
    assert "damaged" in last.problem
    assert "damaged" in remarks[-1]


def test_file_that_is_cut_in_a_letter_is_damaged_utf8():
    text, _remarks = decode("موبایل\n09395213300\nسارا".encode()[:-1])
    assert text.startswith("موبایل")


@pytest.mark.parametrize(
    "data",
    [
        "José;Müller\n".encode("latin-1"),
        bytes(range(128, 255)),
    ],
)
def test_what_does_not_read_as_persian_is_not_taken_for_it(data):
    with pytest.raises(InvalidMessage, match="CSV UTF-8"):
        decode(data)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00\x01\x02", b"a\0\0\0b\0\0\0"])
def test_what_is_no_text_is_refused(data):
    with pytest.raises(InvalidMessage, match="not a table"):
        decode(data)
