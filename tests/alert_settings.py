"""Settings of the processes that are to tell somebody: mails become files."""

from tests.chaos_settings import *  # noqa: F403
from tests.settings import env

ADMINS = ["admin@example.com"]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = env("ALERT_MAILS")
