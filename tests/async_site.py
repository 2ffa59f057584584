"""``uvicorn tests.async_site:application``."""

import os

from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.async_app_settings"
application = get_asgi_application()
