"""A project with the apps that the adapters are for, those that are installed."""

from importlib.util import find_spec

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "tests.contrib.urls"
LOGIN_REDIRECT_URL = "/home/"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SESSION_ENGINE = "django.contrib.sessions.backends.db"

INSTALLED_APPS = [*INSTALLED_APPS]
MIDDLEWARE = [*MIDDLEWARE]

if find_spec("django_otp"):
    INSTALLED_APPS += ["django_otp", "negin_sms.contrib.otp"]
    MIDDLEWARE += ["django_otp.middleware.OTPMiddleware"]

if find_spec("two_factor") and find_spec("phonenumber_field"):
    INSTALLED_APPS += [
        "django_otp.plugins.otp_static",
        "django_otp.plugins.otp_totp",
        "two_factor",
        "two_factor.plugins.phonenumber",
    ]
    MIDDLEWARE += ["two_factor.middleware.threadlocals.ThreadLocals"]
    LOGIN_URL = "two_factor:login"
    TWO_FACTOR_SMS_GATEWAY = "negin_sms.contrib.two_factor.SMSGateway"
    TWO_FACTOR_PATCH_ADMIN = False  # the admins' login pages are django-otp's here
    PHONENUMBER_DEFAULT_REGION = "IR"

if find_spec("allauth"):
    INSTALLED_APPS += ["allauth", "allauth.account", "tests.contrib.people"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    AUTHENTICATION_BACKENDS += ["allauth.account.auth_backends.AuthenticationBackend"]
    ACCOUNT_ADAPTER = "tests.contrib.people.adapter.AccountAdapter"
    ACCOUNT_LOGIN_METHODS = {"phone"}
    ACCOUNT_SIGNUP_FIELDS = ["phone*"]
    ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    ACCOUNT_PHONE_VERIFICATION_SUPPORTS_RESEND = True
    ACCOUNT_PHONE_VERIFICATION_CODE_FORMAT = {
        "numeric": True,
        "dashed": False,
        "length": 6,
    }
