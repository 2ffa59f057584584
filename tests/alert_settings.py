"""Settings of the processes that are to tell somebody: mails become files."""

from django import VERSION

from tests.chaos_settings import *  # noqa: F403
from tests.settings import env

# Django 6.0 has addresses where 5.2 has pairs.
ADMINS = ["admin@example.com"] if VERSION >= (6,) else [("Admin", "admin@example.com")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = env("ALERT_MAILS")
