"""django-post-office sending the same queue, by a backend that posts to the gateway.

Its own ``send_queued_mail_until_done``, with as many threads a process as we have
workers. BATCH_SIZE is what it knows of durability: after a crash all of a batch is sent
again, so it is run with its default of 100 and with the whole queue in one batch.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import requests
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from benchmarks import bare


class GatewayBackend(BaseEmailBackend):
    """An email backend as people write one for SMS: a session, kept while open."""

    def open(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def send_messages(self, messages: Any) -> int:
        url = base_url() + bare.SEND
        for message in messages:
            mobile = message.to[0].partition("@")[0]
            data = bare.form_of(mobile, message.body)
            answer = self._session.post(url, data=data, timeout=(5, 20)).json()
            assert answer["status"] == -1
        return len(messages)


def base_url() -> str:
    return str(settings.NEGIN_SMS["default"]["BASE_URL"])


def fill(count: int) -> None:
    from post_office.models import STATUS, Email

    Email.objects.all()._raw_delete("default")
    to = [f"{bare.MOBILE}@sms.example"]
    Email.objects.bulk_create(
        [
            Email(
                from_email="shop@sms.example",
                to=to,
                message=bare.TEXT,
                status=STATUS.queued,
                priority=1,
            )
            for _ in range(count)
        ],
        batch_size=500,
    )


def send(workers: int, processes: int, batch: int) -> None:
    from post_office.mail import send_queued_mail_until_done

    settings.POST_OFFICE |= {"BATCH_SIZE": batch, "THREADS_PER_PROCESS": workers}
    with tempfile.TemporaryDirectory() as folder:
        lock = os.path.join(folder, "lock")
        send_queued_mail_until_done(lock, processes, log_level=1)


def sent() -> int:
    from post_office.models import STATUS, Email

    return Email.objects.filter(status=STATUS.sent).count()


SEND = """
import logging
logging.disable(logging.WARNING)  # a line a message, which need not be paid for
import django
django.setup()
from django.db import connection
from benchmarks.peers_post_office import send
connection.ensure_connection()
"""
