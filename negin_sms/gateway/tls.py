"""The certificates that an account trusts. There is no way to switch checking off."""

from __future__ import annotations

import functools
import os
import ssl
import sys

from requests.adapters import DEFAULT_CA_BUNDLE_PATH

from negin_sms.conf import SETTING, Account
from negin_sms.exceptions import InvalidConfiguration

from .connections import TLSSocket


def trust_of(account: Account) -> ssl.SSLContext:
    """Return the TLS context of an account; InvalidConfiguration for its CA_FILE."""
    try:
        return _context(account.ca_file, account.trust_env)
    except OSError as error:  # ssl.SSLError, where it holds no certificate
        raise InvalidConfiguration(
            f'{SETTING}["{account.alias}"]["CA_FILE"] cannot be read '
            f"({error.strerror}). Write the path of a file of PEM certificates."
        ) from None


@functools.cache  # reading some hundred certificates takes longer than a send
def _context(ca_file: str | None, trust_env: bool) -> ssl.SSLContext:
    """Return a context that trusts the system, certifi and the CA file.

    The standard library's default one also trusts what SSL_CERT_FILE and SSL_CERT_DIR
    name and writes the session's keys to SSLKEYLOGFILE, so it is made only where the
    account trusts its environment.
    """
    context = ssl.create_default_context() if trust_env else _sealed_context()
    context.sslsocket_class = TLSSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def _sealed_context() -> ssl.SSLContext:
    """Return the default context without what it reads from the environment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):  # as create_default_context does since then
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if sys.platform == "win32":
        for certificate, encoding, _trust in ssl.enum_certificates("ROOT"):
            if encoding == "x509_asn":
                context.load_verify_locations(cadata=certificate)
        return context
    system = ssl.get_default_verify_paths()
    if os.path.isfile(system.openssl_cafile):
        context.load_verify_locations(cafile=system.openssl_cafile)
    if os.path.isdir(system.openssl_capath):
        context.load_verify_locations(capath=system.openssl_capath)
    return context
