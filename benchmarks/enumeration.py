"""Does the time of an answer tell who has an account? The three adapters' own pages.

Asks in random order for one who is known, for one who is not, and for a second one who
is not: two strangers differ by nothing, so how well *they* are told apart is what the
machine makes up. Prints the distributions, how often one answer is slower than another
(50 % is chance), and how many calls and queries an answer takes, which no machine
makes up.

    pip install -e ".[test-contrib]"
    python -m benchmarks.enumeration [N]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.contrib.settings")
django.setup()

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment
from django.urls import reverse

from negin_sms.contrib.otp.models import SMSDevice

WHO = ("known", "unknown", "unknown too")
NUMBERS = ("09395213300", "09000000001", "09000000002")
NAMES = ("maryam", "nobody", "noone")


def allauth_code(at: int) -> Any:
    url = reverse("account_request_login_code")
    return Client().post(url, {"phone": NUMBERS[at]})


def two_factor_login(at: int) -> Any:
    form = {"auth-username": NAMES[at], "auth-password": "wrong"}
    form |= {"login_view-current_step": "auth"}
    return Client().post(reverse("two_factor:login"), form)


def otp_login(at: int) -> Any:
    form = {"username": NAMES[at], "password": "wrong", "otp_challenge": "1"}
    return Client().post(reverse("otp_admin:login"), form)


PAGES: tuple[Callable[[int], Any], ...] = (allauth_code, two_factor_login, otp_login)


def timed(page: Callable[[int], Any], at: int) -> float:
    cache.clear()  # allauth's limits
    began = time.perf_counter()
    page(at)
    return (time.perf_counter() - began) * 1000


def work(page: Callable[[int], Any], at: int) -> str:
    """Return how many Python calls and queries an answer takes, as text."""
    cache.clear()
    with CaptureQueriesContext(connection) as queries, cProfile.Profile() as profile:
        page(at)
    return f"{pstats.Stats(profile).total_calls} calls, {len(queries)} queries"


def slower(these: list[float], those: list[float]) -> str:
    wins = sum(a > b for a in these for b in those)
    return f"{100 * wins / (len(these) * len(those)):.1f} %"


def measure(page: Callable[[int], Any], requests: int) -> None:
    times: tuple[list[float], ...] = ([], [], [])
    for at in (0, 1, 2, 0, 1, 2):
        page(at)
    for _ in range(requests):
        for at in random.sample(range(3), 3):
            times[at].append(timed(page, at))
    for at, who in enumerate(WHO):
        quarters = statistics.quantiles(times[at], n=4)
        shown = ", ".join(f"{quarter:.2f}" for quarter in quarters)
        print(f"{page.__name__}, {who}: {shown} ms; {work(page, at)}")
    print("  known slower than unknown:", slower(times[0], times[1]))
    print("  unknown slower than unknown too:", slower(times[1], times[2]))


def main(requests: int) -> None:
    setup_test_environment()
    settings.ACCOUNT_PREVENT_ENUMERATION = True
    call_command("migrate", run_syncdb=True, verbosity=0)
    user = get_user_model().objects.create_user(NAMES[0], password="right")
    get_adapter().set_phone(user, "+989395213300", True)
    SMSDevice.objects.create(user=user, name="phone", mobile=NUMBERS[0])
    for page in PAGES:
        measure(page, requests)


parser = argparse.ArgumentParser()
parser.add_argument("requests", nargs="?", type=int, default=200, help="of each page")
main(parser.parse_args().requests)
