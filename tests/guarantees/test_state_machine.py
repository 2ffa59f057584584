"""Every service in any order, against a gateway that keeps a journal (hypothesis).

The gateway notes every message it takes before it answers, so the journal is what
people got on their phones. A trigger of SQLite notes each single step of a row, so
that steps inside one service are seen too. Time passes by moving all moments of the
database into the past. ``--chaos`` runs it longer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from negin_sms import conf, services
from negin_sms.choices import Priority, Status, state_rank
from negin_sms.exceptions import (
    Effect,
    IdempotencyConflict,
    NeginSmsError,
    NotSent,
    OutcomeUnknown,
)
from negin_sms.gateway import get_gateway, http_status, wire
from negin_sms.models import AccountState, DeliveryState, Message, OptOut
from negin_sms.querysets import DbNow, database_now, from_now
from negin_sms.services.delivery import states
from negin_sms.services.dispatch.exchange import exchange
from negin_sms.services.operations import alerts
from negin_sms.services.outbox import claims, gate, journal, results
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.jobs import SendJob, SendResult, make_job
from tests.factories import MOBILE, MessageFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="the trigger is SQLite's"),
]

USING = "default"
OTHER_MOBILE = "+989120000000"  # the account "bulk" sends to MOBILE only

# Design, section 2: what one step of a row may be.
DRAFT, QUEUED, HELD, SENDING, ACCEPTED, REJECTED, UNCERTAIN, CANCELLED, EXPIRED = Status
STEPS = {
    (DRAFT, QUEUED),
    (DRAFT, CANCELLED),
    (QUEUED, SENDING),
    (QUEUED, CANCELLED),
    (QUEUED, EXPIRED),
    (SENDING, ACCEPTED),
    (SENDING, REJECTED),
    (SENDING, UNCERTAIN),
    (SENDING, QUEUED),  # not sent
    (SENDING, CANCELLED),  # ONLY_TO
    (UNCERTAIN, ACCEPTED),
    (UNCERTAIN, REJECTED),
}
WAITING = {DRAFT, QUEUED}
SENT_PERHAPS = {SENDING, ACCEPTED, REJECTED, UNCERTAIN}

TRIGGER = """
    CREATE TEMP TRIGGER note_step AFTER UPDATE ON negin_sms_message
    WHEN OLD.status IS NOT NEW.status OR OLD.state IS NOT NEW.state
    BEGIN INSERT INTO step VALUES
        (NEW.id, OLD.status, NEW.status, OLD.state, NEW.state);
    END
"""


@dataclass(frozen=True)
class Act:
    """What the gateway does with one request: take it or not, then answer."""

    takes: bool
    status: int = -1
    http: int = 200
    gateway_id: str = ""
    error: Callable[[str], Exception] | None = None

    @property
    def accepts(self) -> bool:
        sane = self.error is None and self.gateway_id != SUSPECT
        return sane and self.http == 200 and self.status < 0


SUSPECT, OLD = "14", "old"
ACTS = {
    "accepted": Act(True),
    "another negative status": Act(True, -7),
    "an old message's id": Act(True, gateway_id=OLD),
    "suspicious id": Act(True, gateway_id=SUSPECT),
    "bad number": Act(False, 1),
    "opted out": Act(False, 27),
    "no credit": Act(False, 14),
    "throttled": Act(False, 23),
    "unknown code, taken": Act(True, 777),
    "unknown code": Act(False, 777),
    "no answer, taken": Act(True, error=OutcomeUnknown),
    "no answer": Act(False, error=OutcomeUnknown),
    "not sent": Act(False, error=NotSent),
    "front door": Act(False, http=403),
    "server error, taken": Act(True, http=500),
    "fault of the class, taken": Act(True, error=KeyError),
    "fault of the class": Act(False, error=KeyError),
}


@dataclass(frozen=True)
class Taken:
    """One line of the journal; ``promised``: the answer said accepted."""

    text: str
    gateway_id: str
    promised: bool


@dataclass
class Script:
    """What all the gateways of this module will do, and what they have done."""

    acts: list[str] = field(default_factory=lambda: ["accepted"])
    codes: list[int | None] = field(default_factory=lambda: [1])
    trouble: str = ""
    journal: list[Taken] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    told: dict[str, set[int]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(5001))

    def send(self, alias: str, text: str) -> wire.SendReply:
        act = ACTS[self.acts[self.requests.total() % len(self.acts)]]
        self.requests[alias] += 1
        gateway_id = act.gateway_id or str(next(self.ids))
        if act.gateway_id == OLD:
            gateway_id = self.given.get(alias) or str(next(self.ids))
        if act.takes:
            self.journal.append(Taken(text, gateway_id, act.accepts))
        if act.error is not None:
            raise act.error("as the script says")
        if act.accepts:
            self.given[alias] = gateway_id
        data = {"message_id": gateway_id, "line": "98", "mobile": MOBILE}
        body = json.dumps({"status": act.status, "msg": "?", "data": data}).encode()
        if error := http_status.decode_http(act.http, "", b"<html>"):
            raise error
        return wire.decode_send(body)

    def states(self, ids: list[str]) -> dict[str, int]:
        known = {key: self.codes[int(key) % len(self.codes)] for key in ids}
        pairs = {key: code for key, code in known.items() if code is not None}
        status, listed = self._spoil(ids, [*pairs.values(), 1])
        data = {
            "msgIds": ",".join([*pairs, "999999"]),
            "states": ",".join(map(str, listed)),
        }
        body = json.dumps({"status": status, "msg": "?", "data": data}).encode()
        answer = wire.decode_states(body)
        for key, code in answer.items():
            self.told.setdefault(key, set()).add(code)
        return answer

    def _spoil(self, ids: list[str], codes: list[int]) -> tuple[int, list[int]]:
        if self.trouble == "down":
            raise NotSent("down")
        if self.trouble == "fault":
            raise KeyError("states")
        if self.trouble == "poison" and any(int(key) % 3 == 0 for key in ids):
            return 24, codes
        if self.trouble == "wrong password":
            return 18, codes
        return -1, codes[:-1] if self.trouble == "short list" else codes


script = Script()


class Scripted:
    """A gateway class as a project might write its own."""

    def __init__(self, account: conf.Account) -> None:
        self._account = account

    def send(self, request, *, start_by=math.inf):
        if time.monotonic() >= start_by:
            raise NotSent("too late", effect=Effect.IGNORED)
        return script.send(self._account.alias, request.text)

    def states(self, ids):
        return script.states(list(ids))


some = st.integers(0, 60)
acts = st.lists(st.sampled_from([*ACTS, *["accepted"] * 8]), min_size=2, max_size=8)
codes = st.lists(
    st.sampled_from([None, -1, 0, 8, 2, 16, 18, 1, 77, 9]), min_size=1, max_size=5
)
troubles = st.sampled_from(
    ["", "", "", "down", "fault", "poison", "wrong password", "short list"]
)
aliases = st.sampled_from(["default", "default", "bulk"])


class Machine(RuleBasedStateMachine):
    """The rules are the services, and what can befall those who call them."""

    def __init__(self) -> None:
        super().__init__()
        for model in (DeliveryState, Message, AccountState, OptOut):
            model.objects.all().delete()
        script.__init__()  # type: ignore[misc]
        self.numbers = itertools.count(1)
        self.jobs: list[SendJob] = []  # held by workers that hang, or are dead
        self.endings: list[SendResult] = []  # known to workers that hang, or are dead
        self.asked: list[states.PollTarget] = []  # held by a poller that hangs
        self.entered: dict[int, str] = {}  # gateway ids that a person has typed
        self.decided: set[int] = set()  # rows that a person decided in this step
        self.edited: set[int] = set()  # with another text each is a wish of its own
        self.known: dict[int, Message] = {}
        self.is_sound = True
        self.reports = 0

    # Few rules and fat ones: hypothesis leaves half of the rules out of a run.

    @initialize()
    def begin(self) -> None:
        services.queue_many([self.wish(), self.wish(), self.wish()])

    @rule(
        count=st.integers(1, 3),
        priority=st.sampled_from(Priority.values),
        alias=aliases,
        mobile=st.sampled_from([MOBILE, MOBILE, OTHER_MOBILE]),
        expires_in=st.sampled_from([30, 600, 86400]),
        is_draft=st.booleans(),
    )
    def queue(self, count, priority, alias, mobile, expires_in, is_draft) -> None:
        for _ in range(count):
            services.queue_sms(
                mobile,
                self.text(),
                account=alias,
                priority=priority,
                expires_in=expires_in,
            )
        if is_draft:
            MessageFactory(text=self.text(), status=DRAFT)

    @rule(key=st.sampled_from("ab"), same=st.booleans(), count=st.integers(0, 2))
    def queue_under_a_key(self, key, same, count) -> None:
        keyed = Message.objects.filter(idempotency_key=key)
        # What was never sent gives its key to the next that comes with it.
        owner = keyed.exclude(status__in=(CANCELLED, EXPIRED)).first()
        text = owner.text if owner and same else self.text()
        wish = {"mobile": MOBILE, "text": text, "idempotency_key": key}
        expected = IdempotencyConflict if owner and not same else None
        with pytest.raises(expected) if expected else contextlib.nullcontext():
            if not count:
                message = services.queue_sms(**wish)
            else:
                message, *_rest = services.queue_many([wish] * count + [self.wish()])
            assert owner is None or message == owner
            assert keyed.get() == message

    @rule(
        acts=acts,
        limit=st.sampled_from([1, 2, 4, 100]),
        workers=st.sampled_from([1, 1, 3]),
    )
    def dispatch(self, acts, limit, workers) -> None:
        with self.gateway(acts):
            services.dispatch_queue(limit=limit, workers=workers)

    @rule(
        acts=acts,
        indexes=st.lists(some, max_size=2),
        alias=aliases,
        silent=st.booleans(),
        give_up=st.booleans(),
    )
    def send_at_once(self, acts, indexes, alias, silent, give_up) -> None:
        with self.gateway(acts), contextlib.suppress(NeginSmsError):
            services.send_messages([self.pick(i, status=QUEUED) for i in indexes])
            services.send_sms(
                MOBILE,
                self.text(),
                account=alias,
                fail_silently=silent,
                on_not_sent="cancel" if give_up else "queue",
            )

    @rule(
        alias=aliases,
        acts=acts,
        posts=st.booleans(),
        is_dead=st.sampled_from([True, True, False]),
        then=st.sampled_from(["", "reports", "reports", "is in the log"]),
    )
    def worker_hangs(self, alias, acts, posts, is_dead, then) -> None:
        """It claims two, and posts or not; is taken for dead; is back, at last."""
        services.queue_many([self.wish(), self.wish()], account=alias)
        account, claim = conf.get_account(alias), journal.new_claim("", "default")
        rows = engine_for(USING).claim_due(
            account, claim, 2, priorities=Priority.values, lease=account.lease
        )
        now = time.monotonic()
        for row in gate.let_out(rows, account, USING)[0]:
            job = make_job(row, account, claimed_at=now, lease=account.lease)
            self.jobs.append(job)
            if posts:
                self.post(self.jobs.pop(), acts)
        if is_dead:
            self.leases_run_out()
            self.resend_twice(rows[0])
        if then:
            self.worker_is_back(-1, acts, then)

    @rule(
        index=some,
        acts=acts,
        how=st.sampled_from(["reports", "reports", "gives back", "is in the log"]),
    )
    def worker_is_back(self, index, acts, how) -> None:
        """It reports; again, perhaps: nobody says that it is the first time."""
        if self.jobs:
            job = self.jobs.pop(index % len(self.jobs))
            if how == "gives back":
                claims.unclaim([job.pk], job.claim, USING)
                return
            self.post(job, acts)
        if self.endings:
            ending = self.endings[index % len(self.endings)]
            if how == "is in the log":
                self.repair(ending)
            self.record([e for e in self.endings if e.job.claim == ending.job.claim])

    @rule(seconds=st.sampled_from([0.0, 6.0, 60.0, 400.0, 400.0, 7200.0, 90000.0]))
    def time_passes(self, seconds) -> None:
        delta = timedelta(seconds=seconds)
        for model in (Message, AccountState, DeliveryState):
            names = [f.name for f in model._meta.fields]
            moments = [n for n in names if n.endswith(("_at", "_until"))]
            model._default_manager.update(**{n: F(n) - delta for n in moments})
        self.jobs = [
            dataclasses.replace(job, start_by=job.start_by - seconds)
            for job in self.jobs
        ]
        if seconds:
            services.expire_claims()
            claims.expire_overdue(using=USING)
        else:
            self.leases_run_out()
        assert not Message.objects.stale().exists()

    @rule(
        turns=st.lists(codes, min_size=2, max_size=3),
        trouble=troubles,
        size=st.integers(1, 4),
        index=some,
        hangs=st.booleans(),
    )
    def poll(self, turns, trouble, size, index, hangs) -> None:
        for script.codes in turns:
            Message.objects.unsettled().update(poll_at=from_now(-1))
            services.poll_states(batch_size=size)
            script.trouble = trouble
            services.refresh_states([self.pick(index, status=ACCEPTED)])
        script.trouble = ""
        if hangs:
            self.poller_hangs()

    def poller_hangs(self) -> None:
        """Take some; the answer comes when they are lost to another poller."""
        asked, self.asked = self.asked, self.take_states()
        told = script.states([one.gateway_id for one in asked])
        states.write_states(asked, told, conf.get_account(), using=USING)

    @rule(does=st.sampled_from(["cancel", "edit", "release", "resend"]), index=some)
    def person_acts(self, does, index) -> None:
        if does == "cancel":
            services.cancel([self.pick(index)])
        elif does == "edit":
            with contextlib.suppress(NeginSmsError):
                row = self.pick(index)
                services.edit(row, by=None, text=self.text(), send_at=None)
                self.edited.add(row.pk)
        elif does == "release":
            services.queue_messages([self.pick(index, status=DRAFT)])
        else:
            self.resend_twice(self.pick(index, status__in=[UNCERTAIN, REJECTED]))

    @rule(index=some, found=st.sampled_from(["no", "yes", "with id", OLD]))
    def person_decides(self, index, found) -> None:
        row = self.pick(index, status=UNCERTAIN)
        ids = {"with id": str(next(script.ids)), OLD: script.given.get(row.account, "")}
        gateway_id = ids.get(found, "")
        status = REJECTED if found == "no" else ACCEPTED
        with contextlib.suppress(NeginSmsError):
            services.resolve(row, status, by=None, why="panel", gateway_id=gateway_id)
            self.entered[row.pk] = gateway_id
            self.decided.add(row.pk)

    @rule(alias=aliases, paused=st.sampled_from([False, False, True]))
    def pause_or_resume(self, alias, paused) -> None:
        if paused:
            services.pause_account(alias, reason="maintenance")
        else:
            services.resume_account(alias)

    # What has to hold after each of them.

    @invariant()
    def everything_holds(self) -> None:
        self.is_sound = False
        rows = {row.pk: row for row in Message.objects.all()}
        assert self.known.keys() <= rows.keys()  # I2
        self.check_steps(rows)
        for row in rows.values():
            self.check_row(row, self.known.get(row.pk))
        for text in {row.text for row in rows.values()}:
            self.check_chain([r for r in rows.values() if r.text == text])
        self.check_ids()
        assert not AccountState.objects.exclude(probe="").exists()
        reports = DeliveryState.objects.count()
        assert reports >= self.reports
        self.known, self.reports = rows, reports
        self.decided.clear()
        self.is_sound = True

    def check_steps(self, rows: dict[int, Message]) -> None:
        parents = {row.resend_of_id for row in rows.values()}
        for pk, old, new, state, new_state in noted_steps():
            assert old == new or (old, new) in STEPS, (old, new)
            if state != new_state:
                assert state_rank(new_state) > state_rank(state), (state, new_state)
            if old == UNCERTAIN != new and pk in parents:
                assert pk in self.decided  # late evidence is too late after a resend

    def check_row(self, row: Message, before: Message | None) -> None:
        status, is_asked = row.status, row.poll_at is not None
        assert (status == SENDING) is (row.claimed_until is not None)
        assert (status == SENDING) <= bool(row.claim)
        assert (row.finished_at is None) is (status in WAITING | {SENDING})
        unsettled = row.settled_at is None and row.gateway_id != ""
        assert is_asked is (status == ACCEPTED and unsettled)
        if row.gateway_id and row.pk not in self.entered:
            given = {t.gateway_id for t in script.journal if t.text == row.text}
            assert row.gateway_id in given
        if row.state is not None:
            assert row.state in script.told[row.gateway_id]
        if before is not None and before.settled_at is not None:
            assert row.settled_at is not None

    def check_chain(self, rows: list[Message]) -> None:
        """I1: of one wish no more was taken than people asked for."""
        taken = [t for t in script.journal if t.text == rows[0].text]
        assert len(taken) <= sum(row.status in SENT_PERHAPS for row in rows)
        # A row that took its key from one of another text repeats nothing of it.
        kin = {row.pk for row in rows}
        ours = [None if row.pk in self.edited else row.resend_of_id for row in rows]
        parents = [parent if parent in kin else None for parent in ours]
        assert parents.count(None) == 1
        assert len(set(parents)) == len(rows)
        assert set(parents) - {None} <= {row.pk for row in rows}

    def check_ids(self) -> None:
        """Whose report it is can always be told, of those of two days."""
        asked = Message.objects.unsettled().filter(finished_at__gte=from_now(-172_800))
        ids = asked.values_list("account", "gateway_id").annotate(rows=Count("pk"))
        assert not ids.filter(rows__gt=1).exists()

    # When everybody is well again, all of it comes to an end.

    def teardown(self) -> None:
        if not self.is_sound:
            return
        script.acts, script.codes, script.trouble = ["accepted"], [1], ""
        for alias in ("default", "bulk"):
            services.resume_account(alias)
        services.queue_messages(Message.objects.filter(status=DRAFT))
        self.time_passes(400.0)
        services.dispatch_queue(limit=500)
        self.everything_holds()
        assert not Message.objects.filter(status__in=WAITING | {SENDING}).exists()
        self.time_passes(90000.0)
        services.poll_states()
        self.everything_holds()
        assert not Message.objects.unsettled().exists()

    # Helpers.

    def text(self) -> str:
        return f"text {next(self.numbers)}"

    def wish(self) -> dict[str, Any]:
        return {"mobile": MOBILE, "text": self.text()}

    def pick(self, index: int, **wanted: object) -> Message:
        """Return a row that fits; any row where none does."""
        rows = list(Message.objects.filter(**wanted).order_by("pk"))
        rows = rows or list(Message.objects.order_by("pk"))
        return rows[index % len(rows)]

    def post(self, job: SendJob, acts: list[str]) -> None:
        script.acts = acts
        self.endings.append(exchange(get_gateway(job.account.alias), job))

    def record(self, endings: list[SendResult]) -> None:
        """Write results; evidence has to beat a claim that was taken for dead."""
        assert results.record(endings, using=USING) == 0
        heard = {e.job.pk for e in endings if e.status in (ACCEPTED, REJECTED)}
        doubted = Message.objects.filter(pk__in=heard, status__in=[SENDING, UNCERTAIN])
        assert not doubted.filter(claim=endings[0].job.claim, resent_as=None).exists()

    def repair(self, ending: SendResult) -> None:
        """Write down by hand what a line of the log says."""
        if ending.status not in (ACCEPTED, REJECTED):
            return
        with contextlib.suppress(NeginSmsError):
            services.resolve(
                Message.objects.get(pk=ending.job.pk),
                ending.status,
                by=None,
                why="log",
                claim=ending.job.claim,
                gateway_id=ending.reply.gateway_id if ending.reply else "",
            )

    def take_states(self) -> list[states.PollTarget]:
        by = database_now(USING)
        return states.read_due(conf.get_account(), 3, by=by, since=None, using=USING)

    def resend_twice(self, row: Message) -> None:
        """Click twice, on a page that is as old as the first click."""
        before = Message.objects.count()
        done = [services.resend([row], by=None).done for _click in range(2)]
        assert Message.objects.count() - before == sum(done) <= 1

    def leases_run_out(self) -> None:
        """Let a clock jump, or everybody die."""
        Message.objects.filter(status=SENDING).update(claimed_until=from_now(-1))
        services.expire_claims()
        assert not Message.objects.filter(status=SENDING).exists()

    @contextlib.contextmanager
    def gateway(self, acts: list[str]) -> Iterator[None]:
        """Let a living caller send; what it heard has to be on the rows then."""
        script.acts = acts
        before, requests = len(script.journal), Counter(script.requests)
        running = AccountState.objects.filter(paused_at__isnull=False)
        closed = running.exclude(paused_until__lte=DbNow())
        paused = list(closed.values_list("account", flat=True))
        yield
        for alias in paused:
            assert script.requests[alias] == requests[alias]
        for taken in script.journal[before:]:
            rows = Message.objects.filter(text=taken.text, status=ACCEPTED)
            found = rows.filter(gateway_id=taken.gateway_id).exists()
            assert found or not taken.promised


def noted_steps() -> Any:
    """Return and forget the steps that the trigger noted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM step")
        steps = cursor.fetchall()
        cursor.execute("DELETE FROM step")
    return steps


@pytest.fixture(autouse=True)
def _machine_room(use_account, settings, monkeypatch) -> Iterator[None]:
    # They look at rows and move none, and take half of the time.
    monkeypatch.setattr(alerts, "alert", lambda *, using: [])
    use_account(BACKEND="tests.guarantees.test_state_machine.Scripted", RESULT_RETRY=0)
    account = settings.NEGIN_SMS["default"]
    settings.NEGIN_SMS = {
        "default": account,
        "bulk": {**account, "ONLY_TO": [MOBILE]},
    }
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE step (pk, old, new, state, new_state)")
        cursor.execute(TRIGGER)
        yield
        cursor.execute("DROP TRIGGER note_step")
        cursor.execute("DROP TABLE step")


def run(examples: int, steps: int, number: int = 0) -> None:
    machine = seed(number)(type("Machine", (Machine,), {}))
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)


class TestAnyOrder:
    def test_loses_nothing_and_sends_nothing_twice(self):
        run(examples=3, steps=30)


@pytest.mark.chaos(seconds=35)
class TestAnyOrderForLong:
    """200 runs, in parts that may go side by side."""

    @pytest.mark.parametrize("part", range(1, 5))
    def test_loses_nothing_and_sends_nothing_twice(self, part):
        run(examples=50, steps=50, number=part)
