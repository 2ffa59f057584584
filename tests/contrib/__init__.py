"""The adapters with the real packages, on settings of their own.

python -m pytest --ds=tests.contrib.settings tests/contrib
"""

from __future__ import annotations

import pytest
from django.apps import apps


def require(app: str, extra: str) -> None:
    """Skip a module unless the project at hand has this app installed."""
    if not apps.is_installed(app):
        pytest.skip(
            f"needs the extra {extra!r} and --ds=tests.contrib.settings",
            allow_module_level=True,
        )
