"""The way to the gateway, as the doctor tells of it: name, connection, TLS, clock."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.gateway import probe

from .findings import Finding, Looking, judge_clock

_RENEW_BEFORE = timedelta(days=14)


def examine(account: conf.Account, looking: Looking) -> Generator[Finding, None, bool]:
    """Go the way to an account's gateway; return whether it is open.

    Raise InvalidConfiguration for a CA_FILE that cannot be read.
    """
    way = probe.look(account)
    yield from _findings(way, account, looking)
    return way.failed in (None, probe.Step.ANSWER)


def _findings(
    way: probe.Way, account: conf.Account, looking: Looking
) -> Iterator[Finding]:
    if way.unseen:
        words = _("The proxy %(host)s hides what is behind it; not looked at.")
        yield looking.ok("connection", words % {"host": way.peer})
        return
    yield _name(way, looking)
    if way.failed is not probe.Step.NAME:
        yield _connection(way, looking)
        if way.failed is not probe.Step.CONNECTION and account.is_encrypted:
            yield _tls(way, account, looking)
    if way.failed in (None, probe.Step.ANSWER):
        yield _gateway_clock(way, looking)


def _name(way: probe.Way, looking: Looking) -> Finding:
    if way.failed is probe.Step.NAME:
        words = _("The name %(host)s cannot be resolved (%(cause)s).")
        advice = _("Check BASE_URL, or the proxy, and this machine's name servers.")
        values = {"host": way.peer, "cause": way.cause}
        return looking.failure("name", words % values, advice)
    values = {"host": way.peer, "addresses": ", ".join(way.addresses)}
    return looking.ok("name", _("%(host)s is %(addresses)s.") % values)


def _connection(way: probe.Way, looking: Looking) -> Finding:
    values = {"place": f"{way.peer}:{way.port}", "cause": way.cause}
    if way.failed is probe.Step.CONNECTION:
        words = _("No connection to %(place)s (%(cause)s).")
        advice = _(
            "Check BASE_URL, the firewall, and whether the gateway allows this "
            "server's address."
        )
        return looking.failure("connection", words % values, advice)
    return looking.ok("connection", _("%(place)s can be reached.") % values)


def _tls(way: probe.Way, account: conf.Account, looking: Looking) -> Finding:
    if way.failed is probe.Step.TLS:
        words = _("No secure connection to %(host)s (%(cause)s).")
        values = {"host": account.host, "cause": way.cause}
        return looking.failure("tls", words % values, _tls_advice(way.verify_code))
    if way.ends_at is None:
        return looking.ok("tls", _("The connection is secure."))
    left = way.ends_at - timezone.now()
    words = _("%(version)s; the certificate is valid for %(days)d more days.")
    words %= {"version": way.tls_version, "days": left.days}
    if left > _RENEW_BEFORE:
        return looking.ok("tls", words)
    advice = _(
        "Ask the gateway's operator to renew it; after that day nothing can be sent."
    )
    return looking.warning("tls", words, advice)


def _tls_advice(verify_code: int) -> str:
    """Return what to do, by OpenSSL's reason against the certificate."""
    if verify_code in _OUT_OF_TIME:
        return _(
            "Check this machine's clock; if it is right, the gateway's operator has to "
            "renew the certificate."
        )
    if verify_code in _OTHER_NAME:
        return _("Check the host in BASE_URL: the certificate is another host's.")
    if verify_code:
        return _(
            "Whoever answers there may not be the gateway. If it is, name the file of "
            "its authority in CA_FILE."
        )
    return _("Check the port in BASE_URL, and what stands between (proxy, firewall).")


_OUT_OF_TIME = (9, 10)  # not valid yet, expired
_OTHER_NAME = (62, 64)  # of a host name, of an address


def _gateway_clock(way: probe.Way, looking: Looking) -> Finding:
    if way.ahead is None:
        return looking.ok("clock", _("The gateway does not tell the time."))
    return judge_clock("clock", _("the gateway's"), way.ahead, looking)
