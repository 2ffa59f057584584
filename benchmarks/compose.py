"""What the worst table within the limits costs, from the file to the drafts.

    python -m benchmarks.compose

Each input is read and drafted in a process of its own, with SQLite in memory. Printed
are the seconds of reading and composing, those of writing the rows, which Django takes
for each of them (10,000 at the most), and the most memory that the process had. The
first have to stay below 2 s, the last below 200 MB, on an idle machine; the exit status
is 1 where one does not.
tests/services/submission/test_drafting.py holds what keeps them there, by counting.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import time

SECONDS, MEGABYTES = 2.0, 200
PART = 153


def table(columns: int, rows: int, cell: str, text: str, number: str = "09{:09}"):
    names = ["mobile", *(f"c{at}" for at in range(columns - 1))]
    lines = [";".join(names)]
    cells = ";".join([cell] * (columns - 1))
    lines += [f"{number.format(395_000_000 + at)};{cells}" for at in range(rows)]
    return "\n".join(lines).encode(), text


def workbook(columns: int, rows: int, text: str):
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["mobile", *(f"c{at}" for at in range(columns - 1))])
    for at in range(rows):
        sheet.append([9_395_000_000 + at, *range(columns - 1)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), text


def bomb(content: bytes, part: str = "sheet1.xml", before: bytes = b"</sheetData>"):
    import zipfile

    data, text = workbook(2, 10, "Hello")
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            said = old.read(name)
            if name.endswith(part):
                said = said.replace(before, content + before)
            new.writestr(name, said)
    return out.getvalue(), text


INPUTS = {
    "10,000 numbers, one text of ten parts": lambda: (
        "\n".join(f"0939{at:07}" for at in range(10_000)).encode(),
        "a" * PART * 10,
    ),
    "10,000 numbers in an odd spelling": lambda: (
        "\n".join(
            f"(0939) {at:07}"[:10] + " " + f"{at:07}"[3:] for at in range(10_000)
        ).encode(),
        "Hello",
    ),
    "10,000 that are no numbers": lambda: (
        b"\n".join([b"123 456 789 0"] * 10_000),
        "x",
    ),
    "10,000 rows, five columns, a long personal text": lambda: table(
        *(5, 10_000, "سارا رضا"), "{c0} {c1} " + "ب" * 600
    ),
    "10,000 rows, 100 placeholders": lambda: table(3, 10_000, "abc", "{c0}{c1}" * 50),
    "4,000 rows, fifty columns": lambda: table(50, 3_900, "123", "{c0} {c48}"),
    "cells of 130 kB in 100 placeholders": lambda: table(
        *(2, 7, "x" * 130_000), "{c0}" * 100
    ),
    "a text of 900 kB": lambda: table(2, 10_000, "1", "{c0}" + "ب" * 900_000),
    "20,000 columns": lambda: (
        b"a;" * 20_000 + b"mobile\n" + b"1;" * 20_000 + b"0939",
        "x",
    ),
    "a workbook of 60,000 cells": lambda: workbook(6, 9_900, "{c0} {c4}"),
    "a workbook of five million tags": lambda: bomb(b"<c/>" * 5_000_000),
    "a workbook of 290,000 empty rows": lambda: bomb(b"<row/>" * 290_000),
    "a workbook of 290,000 attributes": lambda: bomb(
        b"<c " + b" ".join(b'a%x=""' % at for at in range(290_000)) + b"/>"
    ),
    "a workbook of 29,000 styles": lambda: bomb(
        b"<xf/>" * 29_000, "styles.xml", b"</cellXfs>"
    ),
    "a workbook with a cell of 20 MB": lambda: bomb(
        b'<row><c t="inlineStr"><is><t>="' + b"a" * 20_000_000 + b"</t></is></c></row>"
    ),
}


def run(name: str) -> None:
    """Read and draft one input; print seconds and megabytes."""
    data, text = INPUTS[name]()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from negin_sms.exceptions import InvalidMessage
    from negin_sms.services.submission import drafting
    from negin_sms.services.submission.recipients.uploads import read_upload

    call_command("migrate", verbosity=0)
    written = time_writing(drafting)
    started, words = time.process_time(), ""
    try:
        drafted = drafting.draft_batch(text, [read_upload(data)])
        words = f"{len(drafted.kept)} kept, {len(drafted.refused)} refused"
    except InvalidMessage as error:
        words = f"refused: {error.reason}"
    seconds = time.process_time() - started - sum(written)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = f"{seconds:6.2f} s, written in {sum(written):5.2f} s, {most:4} MB"
    print(f"{figures}  {name}: {words[:60]}")
    sys.exit(seconds > SECONDS or most > MEGABYTES)


def time_writing(drafting) -> list[float]:
    """Return a list that gets the seconds of each writing of drafts."""
    seconds: list[float] = []
    write = drafting._Writing.write

    def timed(writing):
        started = time.process_time()
        try:
            return write(writing)
        finally:
            seconds.append(time.process_time() - started)

    drafting._Writing.write = timed
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=list(INPUTS))
    name = parser.parse_args().name
    if name:
        run(name)
    command = [sys.executable, "-m", "benchmarks.compose"]
    statuses = [subprocess.run([*command, each]).returncode for each in INPUTS]
    sys.exit(any(statuses))


if __name__ == "__main__":
    main()
