"""What the app adds to the start of a Django process.

    python -m benchmarks.start

Starts fresh processes in turns, with and without the app beside Django's admin, and
prints the medians of ``django.setup()`` (which discovers the admin) in milliseconds and
of the memory that the process has then; and what the first use of what is loaded late
costs: the gateway's client, and a number in an odd spelling.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

CONTRIB = ["admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"]
START = """
import resource, sys, time
started = time.perf_counter()
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=sys.argv[1:],
    SECRET_KEY="start",
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    NEGIN_SMS={"default": {"USERNAME": "u", "PASSWORD": "p", "LINE": "9830003300"}},
)
django.setup()
"""
SEND = (
    START
    + """
started = time.perf_counter()
from negin_sms.gateway import get_gateway
get_gateway()
"""
)
READ = (
    START
    + """
started = time.perf_counter()
from negin_sms.phones import normalize_mobile
normalize_mobile("0939 521 3300")
"""
)
REPORT = """
unit = 1024 * 1024 if sys.platform == "darwin" else 1024
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
print(1000 * (time.perf_counter() - started), memory)
"""

Samples = list[tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args()
    bare = [f"django.contrib.{name}" for name in CONTRIB]
    both = [*bare, "negin_sms"]
    ways = {
        "Django and its admin": (START, bare),
        "with the app": (START, both),
        "first gateway": (SEND, both),
        "first odd number": (READ, both),
    }
    samples: dict[str, Samples] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as cache:
        for _round in range(1 + given.rounds):
            for name, (code, apps) in ways.items():
                samples[name].append(start(code, apps, cache))
    # The first round has compiled what the others load.
    medians = {name: median(some[1:]) for name, some in samples.items()}
    for name, (took, memory) in medians.items():
        print(f"{name:22} {took:6.1f} ms {memory:6.1f} MB")
    without, added = medians["Django and its admin"], medians["with the app"]
    print(
        f"the app adds {added[0] - without[0]:.1f} ms, {added[1] - without[1]:.1f} MB"
    )


def start(code: str, apps: list[str], cache: str) -> tuple[float, float]:
    command = [sys.executable, "-c", code + REPORT, *apps]
    env = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    took, memory = map(float, done.stdout.split())
    return took, memory


def median(samples: Samples) -> tuple[float, float]:
    return (
        statistics.median(took for took, _memory in samples),
        statistics.median(memory for _took, memory in samples),
    )


if __name__ == "__main__":
    main()
