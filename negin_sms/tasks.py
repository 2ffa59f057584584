"""Celery's way to the same services: ``"WAKER": "negin_sms.tasks.wake"``.

The rows are the only truth, a task is a wake-up: lost, doubled or late, it changes
nothing but delay, so it needs no late acknowledgement, no retry and no result. A run
ends after a shift and asks for the next one. So it is over long before a visibility
timeout, and a warm shutdown (SIGTERM reaches a prefork pool's parent, never the run)
waits for a shift and the requests in flight, not for the whole queue.

Importable without Celery, since its autodiscovery is not the only reader.
"""

from __future__ import annotations

from typing import Any

from negin_sms import services
from negin_sms.exceptions import InvalidConfiguration

try:
    from celery import current_app, shared_task
    from kombu.pools import producers
except ImportError:

    def wake(alias: str | None) -> None:
        """Say what is missing."""
        raise InvalidConfiguration(
            "negin_sms.tasks.wake needs Celery and your broker's client: "
            'pip install "celery[redis]", or "celery" for RabbitMQ.'
        )

else:
    # A run ends by itself. A shorter limit of the project's would kill it with
    # requests in flight, whose messages are uncertain then.
    _LIMITS: dict[str, Any] = {"soft_time_limit": 590, "time_limit": 600}  # s
    # A broker that takes connections and says nothing would hold a request for
    # ever on Redis; each transport reads its own names.
    _WAIT = 2.0  # s
    _SOCKETS = {
        **dict.fromkeys(("socket_connect_timeout", "socket_timeout"), _WAIT),  # Redis
        **dict.fromkeys(("read_timeout", "write_timeout"), _WAIT),  # AMQP
    }
    # One more attempt, at once, for a kept connection that has died. Not
    # retry=False: with it kombu tries to connect for six seconds.
    _ONCE_MORE: dict[str, Any] = {
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    }

    @shared_task(name="negin_sms.dispatch", ignore_result=True, **_LIMITS)
    def dispatch(account: str | None = None) -> None:
        """Send what is due, of one account or of all."""
        with services.stop_after() as stop:
            services.dispatch_queue(account=account, stop=stop)
        if stop.is_set():
            wake(account)

    @shared_task(name="negin_sms.poll", ignore_result=True, **_LIMITS)
    def poll(account: str | None = None) -> None:
        """Ask what became of the messages that are due, of one account or of all.

        What is left after a shift is asked for by the next run of the schedule.
        """
        with services.stop_after() as stop:
            services.poll_states(account=account, stop=stop)

    def wake(alias: str | None) -> None:
        """Have a worker dispatch; wait for the broker a few seconds at the most."""
        connection = current_app.connection_for_write(
            connect_timeout=_WAIT, transport_options=_SOCKETS
        )
        with producers[connection].acquire(block=True, timeout=_WAIT) as producer:
            dispatch.apply_async((alias,), producer=producer, retry_policy=_ONCE_MORE)
