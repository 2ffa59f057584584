"""The settings of the benchmarks, with the peers' apps installed too."""

from tests.chaos_settings import *  # noqa: F403
from tests.chaos_settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "post_office"]

# Or Django's tasks of Celery connect anew for each message.
DATABASES["default"]["CONN_MAX_AGE"] = None

POST_OFFICE = {
    "BACKENDS": {"default": "benchmarks.peers_post_office.GatewayBackend"},
    "LOG_LEVEL": 1,  # no row for each success, as we write none
}
