"""Findings on a terminal and for programs; the verdict is the exit status."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.management import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import services
from negin_sms.characters import listed
from negin_sms.conf.thresholds import SHARES, THRESHOLDS, is_threshold
from negin_sms.dates import plain_words
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.services import Finding, Severity

Judge = Callable[..., tuple[Finding, ...]]


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what both commands take; what cannot be read is UNKNOWN, not CRITICAL."""
    leave = parser.exit
    unknown = Severity.UNKNOWN.exit_status
    parser.exit = lambda status=0, message=None: leave(status and unknown, message)  # type: ignore[method-assign]
    add = parser.add_argument
    add("--account", help="only this account; default: all")
    add("--json", action="store_true", help="for programs; printed whatever is found")
    for name, severity in (("--warn", "warning"), ("--crit", "critical")):
        add(
            name,
            type=threshold,
            action="append",
            default=[],
            metavar="CODE=NUMBER",
            help=f"from where on a finding is {severity}: a count, a share, seconds",
        )


def threshold(text: str) -> tuple[str, float]:
    """Read a finding's code and a number."""
    code, _sign, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if code not in THRESHOLDS or not is_threshold(code, value):
        codes, shares = ", ".join(THRESHOLDS), " and ".join(sorted(SHARES))
        raise argparse.ArgumentTypeError(
            f"write CODE=NUMBER, such as uncertain=5 ({shares} are shares, up to 1); "
            f"codes are {codes}"
        )
    return code, value


def judge(look: Judge, options: Mapping[str, Any]) -> list[Finding]:
    """Return the findings by the thresholds of the options, what is worst first."""
    warn, crit = dict(options["warn"]), dict(options["crit"])
    lowest = {
        code: min(side[code] for side in (warn, crit) if code in side)
        for code in {**warn, **crit}
    }
    try:
        found = look(account=options["account"], thresholds=lowest)
    except InvalidConfiguration as error:
        return [unknown("settings", error)]
    return [_by_options(finding, warn, crit) for finding in found]


def unknown(code: str, words: object) -> Finding:
    """Return what to say where that which was asked about was not looked at.

    Monitoring reads it where it reads all else.
    """
    return Finding(code=code, severity=Severity.UNKNOWN, text=str(words))


def _by_options(
    finding: Finding, warn: Mapping[str, float], crit: Mapping[str, float]
) -> Finding:
    code, value = finding.code, finding.value
    if code in crit and value >= crit[code]:
        return replace(finding, severity=Severity.CRITICAL)
    if code in warn and value >= warn[code]:
        return replace(finding, severity=Severity.WARNING)
    if code in crit and finding.severity is Severity.CRITICAL:
        return replace(finding, severity=Severity.WARNING)
    return finding


def finish(
    command: BaseCommand,
    findings: Sequence[Finding],
    options: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
    lines: Iterable[str] = (),
) -> None:
    """Print the verdict and what it is made of; exit by it."""
    verdict = services.worst(findings)
    if options["json"]:
        told = {
            "severity": verdict,
            "findings": [finding.as_dict() for finding in findings],
            **(more or {}),
        }
        command.stdout.write(
            json.dumps(told, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        )
    else:
        for line in (_first_line(findings), *map(_in_words, findings), *lines):
            command.stdout.write(line)
    if verdict.exit_status:
        sys.exit(verdict.exit_status)


def _first_line(findings: Sequence[Finding]) -> str:
    """Return the verdict: a word that is the same in every language, and why."""
    verdict = services.worst(findings)
    if verdict is Severity.OK:
        return f"OK: {_('Nothing needs a person.')}"
    first = next(each for each in findings if each.severity is verdict)
    others = sum(each.severity is not Severity.OK for each in findings) - 1
    more = ngettext("and %(count)d more", "and %(count)d more", others)
    told = f" ({more % {'count': others}})" if others else ""
    return f"{verdict.upper()}: {first}{told}"


def _in_words(finding: Finding) -> str:
    where = " ".join(filter(None, (finding.account, finding.code)))
    times = [
        words % {"moment": plain_words(at)}
        for words, at in (
            (_("since %(moment)s"), finding.since),
            (_("until %(moment)s"), finding.until),
        )
        if at
    ]
    told = f" ({listed(times)})" if times else ""
    line = f"{finding.severity.upper():<8} {where}: {finding.text}{told}"
    return f"{line}\n{'':<8} → {finding.advice}" if finding.advice else line
