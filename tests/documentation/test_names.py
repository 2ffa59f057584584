"""Names that the README and docs/ write in their sentences are names of something.

What stands in blocks of code runs elsewhere (test_pages.py, test_commands.py); this is
about the words between: a function, a right or a button with another name is noticed.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path

import polib
import pytest
from django.contrib.auth.models import Permission
from django.core.management import get_commands

from negin_sms import (
    checks,
    choices,
    conf,
    error_reports,
    exceptions,
    models,
    services,
    signals,
    testing,
)
from negin_sms.admin import SmsRecipientsMixin
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.contrib.otp import conf as otp_conf
from negin_sms.gateway.memory import SentMessage
from negin_sms.gateway.scripts import Scripted
from tests.documentation.test_pages import codes
from tests.documentation.test_runbook import WAY
from tests.pages import PAGES, ROOT, read

EVERYWHERE = ["README", *PAGES]
# Names of others, which the pages write as ours are written.
OF_OTHERS = {
    "celery": "autoretry_for",
    "Django": """ADMINS ATOMIC_REQUESTS DATABASES DEBUG DISABLE_SERVER_SIDE_CURSORS
        INSTALLED_APPS LANGUAGE_CODE MAILERS OPTIONS SILENCED_SYSTEM_CHECKS TASKS TIME_ZONE
        USE_TZ init_command isolation_level login_required post_save update_fields
        sensitive_post_parameters sensitive_variables add_user""",
    "django-allauth": """ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND
        ACCOUNT_PREVENT_ENUMERATION ACCOUNT_RATE_LIMITS ALLAUTH_TRUSTED_PROXY_COUNT
        get_user_by_phone set_phone_verified verify_phone""",
    "databases": """AFTER_SYNC DETAIL FULL VACUUM innodb_buffer_pool_size
        log_min_error_statement pg_upgrade
        log_parameter_max_length_on_error synchronous_standby_names system_identifier
        test_shop""",
    "what one moves from": """BATCH_SIZE DEFAULT_FROM_SMS MAX_RETRIES MESSAGE_ID_ENABLED
        OVERRIDE_RECIPIENTS RETRY_INTERVAL SMS_BACKEND THREADS_PER_PROCESS message_id
        post_send sms_send sms_sendarray sms_status verify_lookup""",
    "pytest, the system, Sentry": """django_db HTTPS_PROXY MAILTO SSL_CERT_FILE
        event_scrubber CELERY_ CELERY_BEAT_SCHEDULE CELERY_TASK_ROUTES""",
    "Nagios": "CRITICAL UNKNOWN WARNING",
}
# Words in quotes that no page of the admin shows.
NO_LABELS = {"csv utf-#", "add", "adding a gateway code"}


@cache
def known() -> frozenset[str]:
    """Return what is ours, or one of others."""
    homes = (
        services,
        exceptions,
        models,
        signals,
        choices,
        testing,
        conf,
        error_reports,
    )
    found = {name for home in homes for name in vars(home)}
    classes = [*vars(services).values(), *vars(exceptions).values(), Scripted]
    for each in classes:
        if inspect.isclass(each):
            attributes = re.findall(r"\bself\.(\w+) = ", inspect.getsource(each))
            found |= {*dir(each), *attributes}
        elif inspect.isfunction(each):
            found |= {*inspect.signature(each).parameters}
    for enum in (choices.Scenario, choices.Status, choices.Priority):
        found |= {*enum.names, *map(str, enum.values)}
    for model in (models.Message, models.AccountState, models.OptOut, models.Alert):
        found |= {field.name for field in model._meta.get_fields()}
    found |= {field.name for field in fields(SentMessage)}
    found |= {field.name.upper() for field in fields(conf.Account)}
    found |= {
        *dir(SmsRecipientsMixin),
        *WAY,
        "server_unknown",
        *THRESHOLDS,
        *codes(),
        *otp_conf.DEFAULTS,
        *get_commands(),
    }
    return frozenset(found.union(*(words.split() for words in OF_OTHERS.values())))


def rights() -> set[str]:
    return {*Permission.objects.values_list("codename", flat=True)}


def prose(page: str) -> str:
    """Return a page without its blocks of code, in one line."""
    block = (
        r"^( *)(?:\.\. code-block::|\.\. \w+::|.*(?<!:)::$).*\n\n((?:\1    .*\n|\n)+)"
    )
    return re.sub(r"\s+", " ", re.sub(block, "", read(page), flags=re.M))


@pytest.mark.django_db
@pytest.mark.parametrize("page", EVERYWHERE)
def test_names_with_an_underscore_are_there(page):
    named = set(re.findall(r"``([A-Za-z]\w*_\w*)(?:\([^`]*\))?``", prose(page)))
    ours = ("sms_", "negin_sms", "NEGIN_SMS")
    unknown = named - known() - rights()
    own = {name for name in unknown if name.startswith(ours)}
    assert sorted(unknown - own) == []
    assert [name for name in own if name not in source()] == []


@cache
def source() -> str:
    files = (ROOT / "negin_sms").rglob("*.py")
    return "\n".join(each.read_text(encoding="utf-8") for each in files)


@pytest.mark.django_db
@pytest.mark.parametrize("page", EVERYWHERE)
def test_dotted_names_lead_somewhere(page):
    for path in set(re.findall(r"\bnegin_sms(?:\.\w+)+", read(page))):
        name = path.removeprefix("negin_sms.")
        task = name in ("dispatch", "poll")  # test_celery_settings_work
        check = re.fullmatch(r"[EWI]\d+", name) and path in _source_of_checks()
        assert task or check or name in rights() or leads_somewhere(path), path


def _source_of_checks() -> str:
    return "".join(
        each.read_text() for each in Path(checks.__file__).parent.rglob("*.py")
    )


def leads_somewhere(path: str) -> bool:
    module, *rest = path.split(".")
    found = import_module(module)
    for name in rest:
        module = f"{module}.{name}"
        if not hasattr(found, name):
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                return error.name != module  # an extra that is not installed
            except exceptions.InvalidConfiguration as error:
                return "pip install" in str(error)  # such an extra, on Django 5.2
        found = getattr(found, name)
    return True


@pytest.mark.parametrize("page", [p for p in EVERYWHERE if not p.startswith("fa/")])
def test_buttons_and_titles_in_quotes_are_those_of_the_admin(page):
    catalogue = ROOT / "negin_sms/locale/fa/LC_MESSAGES/django.po"
    entries = re.findall(
        r'^msgid(?:_plural)? ((?:".*"\n)+)', catalogue.read_text("utf-8"), re.M
    )
    shown = {bare("".join(re.findall(r'"(.*)"\n', entry))) for entry in entries}
    words = re.sub(r"``.*?``", "", prose(page))
    quoted = re.findall(r'"([A-Z][^"]{2,60})"', words)
    quoted += re.findall(r"“([A-Z][^”]{2,60})”", words)
    assert [each for each in quoted if bare(each) not in shown | NO_LABELS] == []


def bare(label: str) -> str:
    """Return a label without its count and its dots, and without Django's "Add"."""
    label = re.sub(r" ?\(%\(\w+\)s\)|…", "", label).rstrip(".").casefold()
    return re.sub(r"%\(\w+\)s|\d+", "#", label.removeprefix("add "))


# What the runbook's sections begin a paragraph with.
LABELS = {"Tonight.", "What to do.", "Opt-outs", "End these opt-outs"}


def test_findings_are_quoted_as_they_are_printed():
    """In italics stands what a command prints: N and … are for what differs."""
    catalogue = ROOT / "negin_sms/locale/fa/LC_MESSAGES/django.po"
    printed = " | ".join(
        words
        for entry in polib.pofile(str(catalogue))
        for words in (entry.msgid, entry.msgid_plural)
    )
    sections = read("runbook").partition("Findings, by their codes")[2]
    sections = sections.partition("What the log says")[0]
    flowing = re.sub(r"\s+", " ", re.sub(r"^\* ", "", sections, flags=re.M))
    quoted = re.findall(r"(?<!\*)\*(\w[^*]+)\*(?!\*)", flowing)
    assert len(quoted) > 25
    unknown = []
    for words in set(quoted) - LABELS:
        own = re.sub(
            r"the (?:gateway|database)'s$|poll_sms_states|dispatch_sms_queue",
            "…",
            words,
        )
        parts = [each.strip(" .:") for each in re.split(r"…|\bN\b", own)]
        unknown += [each for each in parts if each and each not in printed]
    assert unknown == [], unknown
