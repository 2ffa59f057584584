"""What the adapters of one-time passwords must say: negin_sms.E008."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

_ADAPTERS = ("ACCOUNT_ADAPTER", "TWO_FACTOR_SMS_GATEWAY")


@checks.register("negin_sms")
def check_code_fields(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E008: codes can be sent with the ``sms_fields`` of the adapters in use."""
    found: list[checks.CheckMessage] = []
    for path in filter(None, (getattr(settings, name, None) for name in _ADAPTERS)):
        if why := _why_unfit(path):
            words = f"{path}.sms_fields {why}"
            found.append(checks.Error(words, id="negin_sms.E008"))
    return found


def _why_unfit(path: str) -> str:
    from .codes import unfit_fields  # a site without codes does not import it

    try:
        adapter = import_string(path)
    except ImportError:
        return ""  # that package's own to tell
    return unfit_fields(getattr(adapter, "sms_fields", {}))
