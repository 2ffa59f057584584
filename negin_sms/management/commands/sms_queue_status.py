"""Say how the queue stands; for people and for monitoring."""

from __future__ import annotations

import contextlib
import dataclasses
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management import CommandError
from django.db import DatabaseError

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.dates import plain_words, to_the_second
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from negin_sms.services import Severity
from negin_sms.services.operations.health.findings import CAP

from . import _waiting
from ._findings import add_arguments, finish, judge, unknown
from ._output import SmsCommand


class Command(SmsCommand):
    """Print the verdict, the findings and the accounts; exit by the verdict."""

    help = (
        "Show what needs a person, and how the SMS queue stands. Exit status, as "
        "Nagios has it: 0 ok, 1 warning, 2 critical, 3 could not look."
    )
    # What is wrong with the settings is a finding like the others.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account, the thresholds and the form of the output."""
        add_arguments(parser)
        listed = "print the ids of uncertain messages and since when, the oldest first"
        parser.add_argument("--list", choices=["uncertain"], help=listed)
        one = "say why this message waits"
        parser.add_argument("--message", type=int, metavar="ID", help=one)
        numbers = "with --list: their recipients' numbers too"
        parser.add_argument("--numbers", action="store_true", help=numbers)

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, print, exit."""
        if options["numbers"] and not options["list"]:
            alone = "--numbers goes with --list=uncertain."
            raise CommandError(alone, returncode=Severity.UNKNOWN.exit_status)
        with contextlib.suppress(DatabaseError, InvalidConfiguration):
            services.expire_claims(as_onlooker=True)  # what it meets is a finding below
        findings = judge(services.health, options)
        accounts = _accounts(options["account"])
        more: dict[str, Any] = {
            "accounts": [dataclasses.asdict(each) for each in accounts]
        }
        lines = [line for each in accounts for line in _lines(each)]
        with contextlib.suppress(DatabaseError):  # a finding says it
            more["waiting"] = [
                found
                for each in accounts
                if each.queued
                for found in _waiting.waiting(each.account)
            ]
            lines += _waiting.in_words(more["waiting"])
            if options["message"] is not None:
                try:
                    more["message"], told = _waiting.of_one(options["message"])
                    lines += told
                except LookupError as error:
                    findings = [unknown("message", error)]
        if options["list"]:
            listed = _uncertain(options)
            more["uncertain"] = listed
            lines += [_listed_words(each) for each in listed]
        finish(self, findings, options, more, lines)


def _uncertain(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the oldest uncertain messages, 1,000 at most, without what was resent."""
    rows = Message.objects.filter(status=Status.UNCERTAIN).not_resent()
    if options["account"]:
        rows = rows.filter(account=options["account"])
    try:
        return [
            {
                "id": row.pk,
                "account": row.account,
                "since": to_the_second(row.finished_at or row.created_at),
                **({"mobile": row.mobile} if options["numbers"] else {}),
            }
            for row in rows.order_by("pk").defer("text")[:1000]
        ]
    except DatabaseError:
        return []  # a finding says it


def _listed_words(row: dict[str, Any]) -> str:
    return " ".join(
        plain_words(each) if isinstance(each, datetime) else str(each)
        for each in row.values()
    )


def _accounts(account: str | None) -> tuple[services.AccountOverview, ...]:
    try:
        return services.overview(account=account).accounts
    except (DatabaseError, InvalidConfiguration):
        return ()  # a finding says it


def _lines(account: services.AccountOverview) -> list[str]:
    names = ("drafts", "queued", "due", "held", "sending", "uncertain", "states_due")
    counts = {name: getattr(account, name) for name in names}
    told = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    lately = ", ".join(
        f"{name} {getattr(account, name)}"
        for name in ("accepted", "rejected", "expired")
    )
    seen = {
        "dispatcher": account.dispatcher_seen_at,
        "poller": account.poller_seen_at,
    }
    signs = [
        f"{who} last seen {plain_words(at)}" if at else f"no {who} yet"
        for who, at in seen.items()
    ]
    if account.oldest_due_at:
        signs.append(f"oldest message due since {plain_words(account.oldest_due_at)}")
    when = "in the last hour"
    if account.ended > CAP:
        when = f"of the {CAP + 1:,} that ended last"
    return [
        f"{account.account}: {told or 'nothing waits'}; {when} {lately}",
        f"  {', '.join(signs)}",
    ]
