"""The Celery app of the processes in test_wakers.py, as a project would write it.

CHAOS_BROKER names the broker, CHAOS_QUEUE a queue of the test's own, CHAOS_SHIFT how
many seconds a run may take.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.chaos_settings")

QUEUE = os.environ["CHAOS_QUEUE"]

app = Celery("tests", broker=os.environ["CHAOS_BROKER"])
app.conf.update(
    task_default_queue=QUEUE,
    task_default_exchange=QUEUE,
    task_default_routing_key=QUEUE,
    worker_enable_remote_control=False,  # or it leaves queues of its own behind
    broker_connection_retry_on_startup=True,
)
if app.conf.broker_url.startswith("redis"):
    app.conf.broker_transport_options = {"global_keyprefix": f"{QUEUE}."}
app.set_default()
app.autodiscover_tasks()


@worker_process_init.connect
def shorten_shifts(**kwargs: object) -> None:
    from negin_sms.services.operations import shutdown

    shutdown._SHIFT = float(os.environ.get("CHAOS_SHIFT", shutdown._SHIFT))
