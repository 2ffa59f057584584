"""A real project's settings, read from the environment with django-environ.

Nothing has to be set: without NEGIN_SMS_USERNAME messages are printed, not sent.
Variables may also stand in a file ``.env`` beside manage.py.
"""

from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=True)
# Good enough to try things out on this machine; production sets its own.
SECRET_KEY = env.str("SECRET_KEY", default="example-only-" + "x" * 40)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

INSTALLED_APPS = [
    "negin_sms",
    "demo",
    "clinic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "example.urls"
STATIC_URL = "static/"

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("fa", "فارسی")]
TIME_ZONE = "Asia/Tehran"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def database() -> dict[str, Any]:
    """Read DATABASE_URL, with what SQLite needs whatever the URL says."""
    config: dict[str, Any] = env.db(
        "DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
    )
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = {
            **config.get("OPTIONS", {}),
            # Only an IMMEDIATE transaction keeps two claims apart on SQLite.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }
    return config


DATABASES = {"default": database()}

_username = env.str("NEGIN_SMS_USERNAME", default="")
NEGIN_SMS = {
    "default": {
        "BACKEND": env.str(
            "NEGIN_SMS_BACKEND",
            default="negin_sms.gateway.client.NeginGateway"
            if _username
            else "negin_sms.gateway.console.ConsoleGateway",
        ),
        "USERNAME": _username,
        "PASSWORD": env.str("NEGIN_SMS_PASSWORD", default=""),
        "LINE": env.str("NEGIN_SMS_LINE", default="" if _username else "9830003300"),
        "LINE2": env.str("NEGIN_SMS_LINE2", default=""),
        "BASE_URL": env.str("NEGIN_SMS_BASE_URL", default="https://sms.3300.ir/api"),
        "CONNECT_TIMEOUT": env.float("NEGIN_SMS_CONNECT_TIMEOUT", default=5.0),
        "READ_TIMEOUT": env.float("NEGIN_SMS_READ_TIMEOUT", default=20.0),
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"negin_sms": {"handlers": ["console"], "level": "INFO"}},
}
