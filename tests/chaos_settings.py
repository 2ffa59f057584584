"""Settings of the processes that the chaos tests start and kill."""

import json
import os

import django

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, env

# A third of what a process imports, and hundreds are started.
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "django.contrib.admin"]
ROOT_URLCONF = ""

DATABASES = {"default": env.db("CHAOS_DATABASE_URL")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL",
    }

ALIASES = ["default", *os.environ.get("CHAOS_ALSO", "").split()]
NEGIN_SMS = dict.fromkeys(ALIASES, json.loads(os.environ["CHAOS_ACCOUNT"]))

if "CHAOS_TASKS" in os.environ:
    backport = ["django_tasks"] if django.VERSION < (6, 0) else []
    INSTALLED_APPS = [*INSTALLED_APPS, *backport, "django_tasks_db"]
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
