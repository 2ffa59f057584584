"""Settings of the site that tests/async_app.py is."""

from tests.chaos_settings import *  # noqa: F403

ROOT_URLCONF = "tests.async_app"
ALLOWED_HOSTS = ["127.0.0.1"]
MIDDLEWARE = []
