"""The route to the gateway, as the doctor tells of it: name, connection, TLS, clock."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.gateway import reachability

from .health.findings import Finding, critical, note, warning
from .health.judgement import clock_finding

_RENEW_BEFORE = timedelta(days=14)
_CLOCK_TOLERANCE = 10.0  # seconds; an answer's time is told in whole ones


def examine(account: conf.Account) -> Generator[Finding, None, bool]:
    """Go the route to an account's gateway; return whether it is open.

    Raise InvalidConfiguration for a CA_FILE that cannot be read.
    """
    route = reachability.look(account)
    yield from _findings(route, account)
    return route.failed in (None, reachability.Step.ANSWER)


def _findings(route: reachability.Route, account: conf.Account) -> Iterator[Finding]:
    alias = account.alias
    if route.unseen:
        words = _("The proxy %(host)s hides what is behind it; not looked at.")
        yield note("connection", words % {"host": route.peer}, alias)
        return
    yield _name(route, alias)
    if route.failed is not reachability.Step.NAME:
        yield _connection(route, alias)
        if route.failed is not reachability.Step.CONNECTION and account.is_encrypted:
            yield _tls(route, account)
    if route.failed in (None, reachability.Step.ANSWER):
        yield _gateway_clock(route, alias)


def _name(route: reachability.Route, alias: str) -> Finding:
    if route.failed is reachability.Step.NAME:
        words = _("The name %(host)s cannot be resolved (%(cause)s).")
        advice = _("Check BASE_URL, or the proxy, and this machine's name servers.")
        values = {"host": route.peer, "cause": route.cause}
        return critical("name", words % values, advice, alias)
    values = {"host": route.peer, "addresses": ", ".join(route.addresses)}
    return note("name", _("%(host)s is %(addresses)s.") % values, alias)


def _connection(route: reachability.Route, alias: str) -> Finding:
    values = {"place": f"{route.peer}:{route.port}", "cause": route.cause}
    if route.failed is reachability.Step.CONNECTION:
        words = _("No connection to %(place)s (%(cause)s).")
        advice = _(
            "Check BASE_URL, the firewall, and whether the gateway allows this "
            "server's address."
        )
        return critical("connection", words % values, advice, alias)
    return note("connection", _("%(place)s can be reached.") % values, alias)


def _tls(route: reachability.Route, account: conf.Account) -> Finding:
    alias = account.alias
    if route.failed is reachability.Step.TLS:
        words = _("No secure connection to %(host)s (%(cause)s).")
        values = {"host": account.host, "cause": route.cause}
        return critical("tls", words % values, _tls_advice(route.verify_code), alias)
    if route.ends_at is None:
        return note("tls", _("The connection is secure."), alias)
    left = route.ends_at - timezone.now()
    words = _("%(version)s; the certificate is valid for %(days)d more days.")
    words %= {"version": route.tls_version, "days": left.days}
    if left > _RENEW_BEFORE:
        return note("tls", words, alias)
    advice = _(
        "Ask the gateway's operator to renew it; after that day nothing can be sent."
    )
    return warning("certificate", words, advice, alias)


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


def _gateway_clock(route: reachability.Route, alias: str) -> Finding:
    if route.ahead is None:
        return note("gateway_clock", _("The gateway does not tell the time."), alias)
    whose = _("the gateway's")
    if abs(route.ahead) >= _CLOCK_TOLERANCE:
        return clock_finding("gateway_clock", whose, route.ahead, alias)
    words = _("This machine's clock agrees with %(whose)s.") % {"whose": whose}
    return note("gateway_clock", words, alias)
