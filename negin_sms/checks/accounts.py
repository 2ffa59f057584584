"""What the accounts' settings must say: one function for each id."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from negin_sms import conf
from negin_sms.conf import beside
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.gateway import gateway_class
from negin_sms.gateway.loopback_only import is_test_environment
from negin_sms.phones import normalize_mobile

from .databases import Found

_CONSOLE = "negin_sms.gateway.console.ConsoleGateway"
_DEVELOPMENT = {
    _CONSOLE: "prints messages",
    "negin_sms.gateway.memory.MemoryGateway": "keeps messages in memory",
}
_CELERY = "negin_sms.tasks.wake"
_BACKGROUND = "negin_sms.background.wake"
# Django's own backends for tasks, and by whom what wakes them is dispatched.
_WITHOUT_WORKERS = {
    "ImmediateBackend": "the requests themselves",
    "DummyBackend": "nobody",
}


@checks.register("negin_sms")
def check_settings(app_configs: Any, **kwargs: Any) -> Found:
    """E001: every account can be read, and has a gateway and its credentials."""
    found: Found = []
    try:
        for account in conf.get_accounts():
            found += _unreadable(account)
        conf.refuse_no_default()
        beside.refuse_no_flags()
    except InvalidConfiguration as error:
        found.append(checks.Error(str(error), id="negin_sms.E001"))
    return found


@checks.register(checks.Tags.security, "negin_sms")
def check_encryption(app_configs: Any, **kwargs: Any) -> Found:
    """W001: over plain http everybody on the way can read the password."""
    return _each_account(_plain_http)


@checks.register(checks.Tags.security, "negin_sms")
def check_console(app_configs: Any, **kwargs: Any) -> Found:
    """E005: with DEBUG off the console is a log, and codes do not belong in one."""
    return _each_account(_prints_in_production)


@checks.register("negin_sms", deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> Found:
    """E005: nothing that only pretends to send belongs in production."""
    return _each_account(_pretends)


@checks.register("negin_sms", deploy=True)
def check_brakes(app_configs: Any, **kwargs: Any) -> Found:
    """I001: what keeps each account from sending too much, or to the wrong people."""
    return _each_account(_brakes)


@checks.register("negin_sms", deploy=True)
def check_lines(app_configs: Any, **kwargs: Any) -> Found:
    """W004: messages that name no line have one to leave from."""
    return _each_account(_no_line)


@checks.register("negin_sms")
def check_alerts(app_configs: Any, **kwargs: Any) -> Found:
    """E007: what NEGIN_SMS_ALERTS names is there; else nobody would be told."""
    path = beside.alerts()
    why = "" if path is None else _why_no_function(path, "with what is to be told")
    if not why:
        return []
    hint = "Write the dotted path of a function, or None for nobody."
    words = f"{beside.ALERTS} cannot be used: {why}"
    return [checks.Error(words, hint=hint, id="negin_sms.E007")]


@checks.register("negin_sms")
def check_wakers(app_configs: Any, **kwargs: Any) -> Found:
    """E006: what WAKER names is there; at work it would only be a line in the log."""
    return _each_account(_no_waker)


@checks.register("negin_sms")
def check_celery_app(app_configs: Any, **kwargs: Any) -> Found:
    """W005: the site's own processes know the project's Celery app."""
    return _each_account(_no_celery_app)


@checks.register("negin_sms", deploy=True)
def check_task_backend(app_configs: Any, **kwargs: Any) -> Found:
    """W002: Django's own backends for tasks have no worker."""
    return _each_account(_dispatches_in_requests)


def _each_account(check: Callable[[conf.Account], Iterable[Any]]) -> Found:
    try:
        accounts = conf.get_accounts()
    except InvalidConfiguration:
        return []  # E001 has said it
    return [message for account in accounts for message in check(account)]


def _unreadable(account: conf.Account) -> Iterable[checks.CheckMessage]:
    try:
        for number in account.only_to or ():
            normalize_mobile(number)
    except InvalidMessage as error:
        yield checks.Error(
            f'{conf.SETTING}["{account.alias}"]["ONLY_TO"] holds something that is '
            f"no Iranian mobile number: {error.reason}",
            hint='Write numbers such as "09395213300".',
            id="negin_sms.E001",
        )
    try:
        if account.is_live and account.ca_file:
            from negin_sms.gateway.tls import trust_of  # imports requests

            trust_of(account)
        elif not account.is_live:
            gateway_class(account)
    except InvalidConfiguration as error:
        yield checks.Error(str(error), id="negin_sms.E001")


def _plain_http(account: conf.Account) -> Iterable[checks.CheckMessage]:
    if account.is_live and not account.is_encrypted and not account.is_loopback:
        yield checks.Warning(
            f'The SMS account "{account.alias}" sends its password over plain http.',
            hint=f'Write "BASE_URL": "{account.base_url.replace("http:", "https:", 1)}"',
            id="negin_sms.W001",
        )


def _prints_in_production(account: conf.Account) -> Iterable[checks.CheckMessage]:
    # Django's test runner switches DEBUG off too.
    is_harmless = settings.DEBUG or is_test_environment()
    if account.backend == _CONSOLE and not is_harmless:
        yield checks.Error(
            f'The SMS account "{account.alias}" prints whole messages, codes and '
            "numbers too, and DEBUG is off.",
            hint=f'Write "BACKEND": "{conf.LIVE_BACKEND}", or DEBUG = True where you '
            "develop.",
            id="negin_sms.E005",
        )


def _pretends(account: conf.Account) -> Iterable[checks.CheckMessage]:
    what = _DEVELOPMENT.get(account.backend)
    if what is None and account.is_live and account.is_loopback:
        what = "talks to a sandbox on this machine"
    if what is not None and not list(_prints_in_production(account)):
        yield checks.Error(
            f'The SMS account "{account.alias}" sends nothing: its gateway {what}.',
            hint=f'Write "BACKEND": "{conf.LIVE_BACKEND}", and leave BASE_URL out.',
            id="negin_sms.E005",
        )


def _no_line(account: conf.Account) -> Iterable[checks.CheckMessage]:
    if not account.line:
        yield checks.Warning(
            f'The SMS account "{account.alias}" has no line: what names none is refused, '
            "but by the service line.",
            hint='Write "LINE": "9830003300", or silence this where that is meant.',
            id="negin_sms.W004",
        )


def _brakes(account: conf.Account) -> Iterable[checks.CheckMessage]:
    names = ("dispatch", "only_to", "mobile_caps", "account_caps", "quiet_hours")
    words = {name: _in_words(getattr(account, name)) for name in names}
    told = ", ".join(f"{name.upper()} {text}" for name, text in words.items())
    hint = None
    if not (account.mobile_caps or account.account_caps):
        hint = (
            "A form that texts visitors can be misused; set caps, such as "
            '"MOBILE_CAPS": {"hour": 5, "day": 20}.'
        )
    yield checks.Info(
        f'The brakes of the SMS account "{account.alias}": {told}.',
        hint=hint,
        id="negin_sms.I001",
    )


def _in_words(value: object) -> str:
    """Say a setting without the numbers that it lists."""
    if isinstance(value, bool):
        return "on" if value else "off: nothing is sent"
    if isinstance(value, frozenset):
        return f"{len(value)} number(s)"
    if not value:
        return "none"
    pairs = value if isinstance(value, tuple) else ()
    if pairs and isinstance(pairs[0], tuple):
        return "; ".join(f"{most} in {seconds} s" for seconds, most in pairs)
    return " to ".join(f"{each:%H:%M}" for each in pairs)


def _no_waker(account: conf.Account) -> Iterable[checks.CheckMessage]:
    if account.waker is None:
        return
    why = _why_no_waker(account.waker)
    if why:
        yield checks.Error(
            f'{conf.SETTING}["{account.alias}"]["WAKER"] cannot be used: {why}',
            hint=f'Write "{_CELERY}" (Celery), "{_BACKGROUND}" (Django Tasks), or None.',
            id="negin_sms.E006",
        )


def _why_no_waker(path: str) -> str:
    why = _why_no_function(path, "with an account's alias")
    if not why and path == _CELERY and find_spec("celery") is None:
        return "Celery is not installed"
    return why


def _why_no_function(path: object, with_what: str) -> str:
    if not isinstance(path, str):
        return "it is no text"
    try:
        found = import_string(path)
    except (ImportError, ImproperlyConfigured) as error:
        return str(error)
    if not callable(found) or iscoroutinefunction(found):
        return f"it is no function that can be called {with_what}"
    return ""


def _no_celery_app(account: conf.Account) -> Iterable[checks.CheckMessage]:
    if account.waker != _CELERY or find_spec("celery") is None:
        return
    from celery import current_app

    if current_app.main == "default":  # Celery's own, for those who have made none
        yield checks.Warning(
            f'The SMS account "{account.alias}" wakes nobody: this process has no '
            "Celery app, so its tasks go to a broker that is not the project's.",
            hint="Import the app in the __init__.py beside settings.py: "
            "from .celery import app as celery_app",
            id="negin_sms.W005",
        )


def _dispatches_in_requests(account: conf.Account) -> Iterable[checks.CheckMessage]:
    default = getattr(settings, "TASKS", {}).get("default", {})
    backend = default.get("BACKEND", "ImmediateBackend").rpartition(".")[2]
    if account.waker == _BACKGROUND and backend in _WITHOUT_WORKERS:
        yield checks.Warning(
            f'The SMS account "{account.alias}" is dispatched by '
            f"{_WITHOUT_WORKERS[backend]}: the backend for Django's tasks has no worker.",
            hint='Write TASKS = {"default": {"BACKEND": '
            '"django_tasks_db.DatabaseBackend"}}, or another that has workers.',
            id="negin_sms.W002",
        )
