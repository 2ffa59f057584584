"""A user's key on a row of ours."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models


def user_key(label: Any) -> models.ForeignKey[Any, Any]:
    """Return the field for who did something.

    Users may live in another database, and may be gone: a key that is never joined,
    without constraint, index or cascade.
    """
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=label,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
