"""Walk through the whole app in the project of two databases; a program of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django

django.setup()

from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment
from django.urls import reverse
from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState, Message, OptOut, SmsTemplate
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet

NUMBER = "09395213300"
USERS: Any = get_user_model()


def main() -> None:
    setup_test_environment()
    for alias in connections:
        call_command("migrate", database=alias, verbosity=0)
    author = USERS.objects.create_superuser("author", "", "x")
    reader = USERS.objects.create_superuser("reader", "", "x")
    message = send(author)
    client = Client()
    client.force_login(reader)
    assert "author" in walk(client, message)
    with CaptureQueriesContext(connections["sms"]) as asked:
        author.delete()
    assert not asked.captured_queries, "a deleted user is looked for in the messages"
    assert f"User {message.created_by_id}, now deleted" in walk(client, message)


def send(by: Any) -> Message:
    """Send a message, and leave one of each other kind behind."""
    at_once = services.send_sms(NUMBER, "now", created_by=by)
    assert abs(at_once.created_at - timezone.now()) < timedelta(seconds=30)
    due = services.queue_sms(NUMBER, "due", created_by=by)
    soon = timezone.now() + timedelta(minutes=5)
    later = services.queue_sms(NUMBER, "later", created_by=by, send_at=soon)
    draft_batch("draft", [read_sheet(NUMBER)], created_by=by)
    services.dispatch_queue()
    for row, status in ((due, "accepted"), (later, "queued")):
        row.refresh_from_db()
        assert row.status == status, f"{row} is not {status}"
    assert abs(due.finished_at - timezone.now()) < timedelta(seconds=30)
    assert later.send_at == soon
    services.pause_account("default", reason="a look", by=by)
    services.opt_out("09395213301", reason="a call", by=by)
    SmsTemplate.objects.create(name="thanks", language="en", text="Thank you!")
    return due


def walk(client: Client, message: Message) -> str:
    """Open every page of the app's admin, and return all that they say."""
    keys = {
        "message": message.pk,
        "accountstate": AccountState.objects.get().pk,
        "optout": OptOut.objects.get().pk,
        "smstemplate": SmsTemplate.objects.get().pk,
    }
    said = [client.get(reverse("admin:index")), client.get("/admin/negin_sms/")]
    for model, admin in site._registry.items():
        if model._meta.app_label != "negin_sms":
            continue
        for pattern in admin.get_urls():
            if pattern.name is None:
                continue
            key = keys[str(model._meta.model_name)]
            args = [key] if "object_id" in str(pattern.pattern) else []
            said.append(client.get(reverse(f"admin:{pattern.name}", args=args)))
    strange = [r for r in said if r.status_code not in (200, 302, 403, 405)]
    assert not strange, strange
    group = Message.objects.filter(status="draft").values_list("group", flat=True)[0]
    said.append(
        client.get(reverse("admin:negin_sms_message_preview"), {"group": group})
    )
    return "".join(r.text if not r.streaming else "" for r in said)


main()
print("walked")  # noqa: T201
