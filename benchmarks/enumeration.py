"""Does the time of an answer tell who has an account? django-allauth's login by code.

Asks by turns for a known and for an unknown number, and prints both distributions and
how well one answer's time tells them apart: 50 % is chance.

    DJANGO_SETTINGS_MODULE=tests.contrib.settings python -m \
        benchmarks.enumeration [REQUESTS]
"""

from __future__ import annotations

import statistics
import sys
import time

import django

django.setup()

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import reverse

KNOWN, UNKNOWN = "09395213300", "09000000001"


def ask(number: str) -> float:
    cache.clear()  # its limits
    client = Client()
    began = time.perf_counter()
    client.post(reverse("account_request_login_code"), {"phone": number})
    return (time.perf_counter() - began) * 1000


def main(requests: int) -> None:
    setup_test_environment()
    settings.ACCOUNT_PREVENT_ENUMERATION = True
    call_command("migrate", run_syncdb=True, verbosity=0)
    user = get_user_model().objects.create_user("maryam")
    get_adapter().set_phone(user, "+989395213300", True)
    ask(KNOWN), ask(UNKNOWN)
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for _ in range(requests):
        for number, taken in times.items():
            taken.append(ask(number))
    for name, number in (("known", KNOWN), ("unknown", UNKNOWN)):
        quarters = statistics.quantiles(times[number], n=4)
        print(name, "ms:", *(f"{quarter:.2f}" for quarter in quarters))
    wins = sum(k > u for k in times[KNOWN] for u in times[UNKNOWN])
    print(f"told apart: {100 * wins / requests**2:.1f} % of pairs (50 is chance)")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
