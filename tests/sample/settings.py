"""A shop's settings: its accounts are the real ones, in tests too."""

SECRET_KEY = "sample"
USE_TZ = True
ROOT_URLCONF = "tests.sample.shop"
INSTALLED_APPS = [
    "negin_sms",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
NEGIN_SMS = {
    "default": {
        "USERNAME": "shop",
        "PASSWORD": "secret",
        "LINE": "9830003300",
        # Nothing listens there: whoever sends for real is refused.
        "BASE_URL": "https://127.0.0.1:9/api",
    }
}
