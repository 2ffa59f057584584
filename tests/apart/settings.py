"""Two databases of which neither has the other's tables.

SMS_ZONE is the time zone of the second.
"""

from tests.settings import *  # noqa: F403
from tests.settings import env


def _database(url: str) -> dict[str, object]:
    database: dict[str, object] = env.db_url_config(url)
    if "sqlite" in str(database["ENGINE"]):
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    return database


DATABASES = {
    "default": _database(env("SITE_DATABASE_URL")),
    "sms": {
        **_database(env("SMS_DATABASE_URL")),
        "TIME_ZONE": env("SMS_ZONE", default=None),
    },
}
DATABASE_ROUTERS = ["tests.apart.router.StrictRouter"]
ALLOWED_HOSTS = ["testserver"]
