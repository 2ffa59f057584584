"""Settings of the processes that the chaos tests start and kill."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import env

DATABASES = {"default": env.db("CHAOS_DATABASE_URL")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL",
    }

NEGIN_SMS = {"default": json.loads(os.environ["CHAOS_ACCOUNT"])}
