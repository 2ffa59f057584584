"""What keeps messages from leaving: looked for, and said in plain words.

Everything an operator would look at, in the order in which it can break: settings,
the way to the gateway, the credentials, the clocks, and all that ``health`` says.
Costs one states request an account, sends no message and changes no row. What lies
behind something that failed is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.core import checks
from django.db import DatabaseError, connections
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.exceptions import (
    GatewayError,
    InvalidConfiguration,
    NotSent,
    Rejected,
    Throttled,
)
from negin_sms.gateway import get_gateway
from negin_sms.models import Message
from negin_sms.services.database import write_alias
from negin_sms.services.outbox.engines import engine_for

from .health.findings import Finding, Severity, Thresholds, critical, note, warning
from .health.judgement import health

_OWN_BACKENDS = "negin_sms.gateway."
_SOME_ID = "1"  # asked about where no message has an id: any will do


def examine(
    *, account: str | None = None, thresholds: Thresholds | None = None
) -> tuple[Finding, ...]:
    """Look at everything, for one account or for all; ``health`` is part of it.

    Notes (``ok``) say what was looked at and is as it should be. Raise
    InvalidConfiguration for an account that is not configured.
    """
    findings = [*_settings(), *_server()]
    try:
        accounts = conf.get_accounts()
    except InvalidConfiguration:
        return tuple(findings)  # the settings' finding says it
    if account is not None:
        accounts = (conf.get_account(account),)
    stands = health(account=account, thresholds=thresholds)
    aliases = {each.alias for each in accounts}
    findings += [each for each in stands if each.account not in aliases]
    for each in accounts:
        findings += _account(each)
        findings += [found for found in stands if found.account == each.alias]
    return tuple(_once(findings))


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield a fault of the settings once: check, judgement and look say it alike."""
    told = set()
    for each in findings:
        is_fault = each.code == "settings" and each.severity is not Severity.OK
        if not is_fault or each.text not in told:
            yield each
        told.add(each.text)


def _account(account: conf.Account) -> Iterator[Finding]:
    alias = account.alias
    try:
        get_gateway(alias)
    except InvalidConfiguration as error:
        yield critical("settings", str(error), account=alias)
        return
    yield from _restraints(account)
    way_is_open = True
    if account.is_live:
        # Only who looks needs requests (a look goes the client's way), which takes
        # longer to load than all of the app.
        from . import connectivity

        way_is_open = yield from connectivity.examine(account)
    if way_is_open:
        yield _credentials(account)


def _settings() -> Iterator[Finding]:
    for message in checks.run_checks(tags=["negin_sms"]):
        if not message.is_silenced():
            found = critical if message.is_serious() else warning
            advice = message.hint or _("Correct the settings, then restart what runs.")
            yield found("settings", str(message.msg), str(advice))


def _restraints(account: conf.Account) -> Iterator[Finding]:
    """Tell of settings that can be read and keep messages from leaving."""
    alias = account.alias
    pretends = not account.is_live and account.backend.startswith(_OWN_BACKENDS)
    if pretends:
        yield warning(
            "development_gateway",
            _("Its gateway is one for development: no message leaves."),
            _("For real messages take BACKEND out of its settings."),
            alias,
        )
    if account.only_to is not None:
        yield warning(
            "only_to",
            _("Only the numbers of ONLY_TO receive anything."),
            _("Where all should, take ONLY_TO out of its settings."),
            alias,
        )
    if not pretends and account.dispatch and account.only_to is None:
        yield note("settings", _("Its settings can be read; sending is on."), alias)


def _server() -> Iterator[Finding]:
    """Say where a failover of the database would not be noticed."""
    using = write_alias()
    try:
        identity = engine_for(using).server_identity()
    except DatabaseError:
        return  # a finding of its own
    if not identity and connections[using].vendor != "sqlite":
        yield warning(
            "server_unknown",
            _("The database server does not say which one it is."),
            _("After a failover hold the queue by hand: manage.py hold_sms_queue"),
        )


def _credentials(account: conf.Account) -> Finding:
    """Ask for a state: that costs nothing and needs the credentials."""
    code, alias = "credentials", account.alias
    later = _("Look again in a minute; if it stays so, ask the gateway's operator.")
    of_account = _(
        "Check USERNAME and PASSWORD (the web service's, not the panel's login) "
        "and, in the panel, the credit and whether the web service is enabled."
    )
    try:
        get_gateway(alias).states([_an_id(account)])
    except Rejected:
        pass  # the id it does not know, but us
    except Throttled as error:
        return warning(code, str(error), later, alias)
    except GatewayError as error:
        # A front door, or nobody at all, knows no account: the text says what to check.
        is_refusal = isinstance(error, NotSent) and error.code is not None
        return critical(code, str(error), of_account if is_refusal else later, alias)
    return note(code, _("The gateway knows the account."), alias)


def _an_id(account: conf.Account) -> str:
    rows = Message.objects.using(write_alias()).filter(account=account.alias)
    ids = rows.unsettled().values_list("gateway_id", flat=True)
    try:
        return ids.first() or _SOME_ID
    except DatabaseError:
        return _SOME_ID  # a finding of its own
