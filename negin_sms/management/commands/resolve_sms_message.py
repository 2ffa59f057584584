"""Decide what uncertain messages were, by hand or from a line of the log."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import CommandError

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import Message

from ._arguments import key, plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """Resolve messages; also one whose result could not be written."""

    help = (
        "Resolve uncertain SMS as accepted or rejected. The log's line «SMS result "
        "not saved: message=… claim=… status=… gateway_id=…» holds the arguments. "
        "sms_queue_status --list uncertain prints the numbers. Exit status 1: some "
        "of the numbers were skipped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the messages and the decision."""
        add = parser.add_argument
        add("message", type=key, nargs="+", help="the messages' numbers")
        add("status", choices=[Status.ACCEPTED.value, Status.REJECTED.value])
        add("--gateway-id", default="", help="of one message: with it, it is polled")
        add("--claim", default="", help="of one, from the log: proves the result")
        add(
            "--from-log",
            metavar="FILE",
            action=_Alone,
            help="goes alone, without numbers: write what its lines «SMS result not "
            "saved: …» hold; twice is no harm",
        )
        add("--why", default="", help="how you know; not with --claim")
        add("--by", metavar="USERNAME", help="who decides; kept in the history")

    def handle(self, *args: Any, **options: Any) -> None:
        """Resolve, and print where each message stands now."""
        if options["from_log"] is not None:
            if any(options[name] for name in _NOT_WITH_A_LOG):
                raise CommandError("--from-log goes alone.", returncode=2)
            self._repair(options["from_log"])
            return
        with plain_errors():
            self._resolve(**options)

    def _resolve(
        self, *, message: list[int], status: str, why: str, **options: Any
    ) -> None:
        rows = list(Message.objects.filter(pk__in=message).order_by("pk"))
        for missing in sorted({*message} - {row.pk for row in rows}):
            raise CommandError(f"There is no message {missing}; nothing was changed.")
        user = _find_user(options["by"])
        decision = {
            "by": user,
            "why": why or ("from the log" if options["claim"] else ""),
        }
        services.expire_claims()
        of_one = {name: options[name] for name in ("gateway_id", "claim")}
        if len(rows) == 1:
            services.resolve(rows[0], status, **decision, **of_one)
            skipped: dict[int, str] = {}
        else:
            found = services.resolve(rows, status, **decision, **of_one)
            skipped = dict(found.skipped)
        for row in rows:
            row.refresh_from_db()
            self.stdout.write(skipped.get(row.pk) or _now(row))
        if user:
            _remember([row for row in rows if row.pk not in skipped], user, why)
        if skipped:
            raise CommandError(f"{len(skipped)} of {len(rows)} were not resolved.")

    def _repair(self, name: str) -> None:
        try:
            with plain_errors(), open(name, encoding="utf-8", errors="replace") as log:
                report = services.repair_from_log(log)
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
        for pk, reason in report.skipped:
            self.stdout.write(f"Message {pk}: {reason}")
        self.stdout.write(f"{report.done} results written.")


# What decides one message, or some; a log's lines hold it for each.
_NOT_WITH_A_LOG = ("message", "status", "gateway_id", "claim", "why", "by")


class _Alone(Action):
    """An option beside which the positional arguments are not wanted."""

    def __call__(
        self, parser: ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        for action in parser._get_positional_actions():
            action.required = False
        setattr(namespace, self.dest, values)


def _now(row: Message) -> str:
    return f"Message {row.pk}: {row.get_status_display()}."


def _find_user(name: str | None) -> Any:
    if name is None:
        return None
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)
    except users.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None


def _remember(rows: list[Message], user: Any, why: str) -> None:
    """Write who decided and why into the messages' history, where there is one."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import CHANGE, LogEntry

    for row in rows:
        words = f"{row.get_status_display()}: {why}"
        LogEntry.objects.log_actions(user.pk, [row], CHANGE, words)
