"""A project unlike the default one: nothing of this may change our migrations."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, NEGIN_SMS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.accounts"]
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
LANGUAGE_CODE = "fa"
NEGIN_SMS = {**NEGIN_SMS, "bulk": {**NEGIN_SMS["default"], "LINE": "9850001333"}}
