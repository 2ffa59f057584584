"""Django's own tasks: ``"WAKER": "negin_sms.background.wake"``.

Imported only where a setting names it: with a TASKS setting that has no "default",
``@task`` fails at import. A task is a wake-up, as in tasks.py; which worker takes it
is for the TASKS setting to say. Django's default backend has none: it runs the work
in the caller.

The function's path is its name in some bridges to Celery, and unlike any in tasks.py.
"""

from __future__ import annotations

from negin_sms import services
from negin_sms.exceptions import InvalidConfiguration

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    try:
        from django_tasks import task  # type: ignore[no-redef]
    except ImportError:
        raise InvalidConfiguration(
            "negin_sms.background.wake needs Django 6.0 or newer, or on Django 5.2: "
            'pip install "django-negin-sms[tasks]".'
        ) from None


@task
def dispatch_in_background(account: str | None = None) -> None:
    """Send what is due for a shift; ask for the next one if that was not all."""
    with services.stop_after() as stop:
        services.dispatch_queue(account=account, stop=stop)
    if stop.is_set():
        wake(account)


def wake(alias: str | None) -> None:
    """Have a worker dispatch."""
    dispatch_in_background.enqueue(alias)
