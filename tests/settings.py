"""Settings of the test suite: SQLite and the memory gateway, unless asked otherwise.

TEST_DATABASE_URL names another database; .ci/run runs the suite on each.
"""

import environ

env = environ.Env()

SECRET_KEY = "tests"
USE_TZ = True
TIME_ZONE = "Asia/Tehran"
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "negin_sms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "tests.policy.one_at_a_time",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    # The live server reads this list once, so no fixture can add to it.
    "tests.policy.strict_policy",
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
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": env.db("TEST_DATABASE_URL", default="sqlite:///:memory:")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
elif "postgresql" in DATABASES["default"]["ENGINE"]:
    # A commit need not outlive a crash of the machine, and half of the time is theirs.
    DATABASES["default"]["OPTIONS"] = {"options": "-c synchronous_commit=off"}

# Pages are compared with what is stored; tests/admin/test_digits.py has them.
NEGIN_SMS_PERSIAN_DIGITS = False
NEGIN_SMS = {
    "default": {
        "BACKEND": "negin_sms.gateway.memory.MemoryGateway",
        "LINE": "9830003300",
        "LINE2": "9830003301",
    }
}
