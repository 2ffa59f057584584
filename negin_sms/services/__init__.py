"""The API: send, queue, dispatch, poll. The only place where a row meets an answer.

``send_sms`` sends now, ``queue_sms`` and ``queue_many`` leave it to the dispatcher
(``dispatch_queue``), ``poll_states`` learns what became of the messages. Read
``negin_sms.exceptions`` for what can go wrong and what to do then.
"""

from negin_sms.services.delivery.poller import poll_states
from negin_sms.services.delivery.refresh import refresh_states
from negin_sms.services.dispatch.dispatcher import dispatch_queue
from negin_sms.services.dispatch.send_messages import send_messages
from negin_sms.services.dispatch.sending import send_sms
from negin_sms.services.operations.decisions import resolve
from negin_sms.services.operations.doctor import examine
from negin_sms.services.operations.editing import edit, reschedule
from negin_sms.services.operations.holds import (
    HoldReport,
    ReleaseReport,
    hold_queue,
    release,
    release_queue,
)
from negin_sms.services.operations.pauses import pause_account, resume_account
from negin_sms.services.operations.repair import repair_from_log
from negin_sms.services.operations.resending import resend
from negin_sms.services.operations.retention.purge import PurgeReport, purge_messages
from negin_sms.services.operations.retention.redaction import redact_sensitive_texts
from negin_sms.services.operations.shutdown import stop_after, stop_on_signals
from negin_sms.services.outbox.claims import expire_claims
from negin_sms.services.outbox.confirming import cancel, confirm_batch, queue_messages
from negin_sms.services.outbox.gate import why_waiting
from negin_sms.services.outbox.gate.opt_outs import (
    OptOutImport,
    import_opt_outs,
    opt_in,
    opt_out,
)
from negin_sms.services.outbox.gate.rules import Verdict
from negin_sms.services.outbox.gateway_binding import adopt_account
from negin_sms.services.statistics.report import DeliveryStatistics, delivery_statistics
from negin_sms.services.submission.batches import purge_drafts
from negin_sms.services.submission.queueing import queue_many, queue_sms

from .asynchronous import aqueue_sms, arefresh_states, asend_sms
from .operations.health.findings import Finding, Severity, worst
from .operations.health.judgement import health
from .operations.health.overview import AccountOverview, Overview, overview
from .reports import ActionReport, DispatchReport, PollReport

__all__ = [
    "AccountOverview",
    "ActionReport",
    "DeliveryStatistics",
    "DispatchReport",
    "Finding",
    "HoldReport",
    "OptOutImport",
    "Overview",
    "PollReport",
    "PurgeReport",
    "ReleaseReport",
    "Severity",
    "Verdict",
    "adopt_account",
    "aqueue_sms",
    "arefresh_states",
    "asend_sms",
    "cancel",
    "confirm_batch",
    "delivery_statistics",
    "dispatch_queue",
    "edit",
    "examine",
    "expire_claims",
    "health",
    "hold_queue",
    "import_opt_outs",
    "opt_in",
    "opt_out",
    "overview",
    "pause_account",
    "poll_states",
    "purge_drafts",
    "purge_messages",
    "queue_many",
    "queue_messages",
    "queue_sms",
    "redact_sensitive_texts",
    "refresh_states",
    "release",
    "release_queue",
    "repair_from_log",
    "reschedule",
    "resend",
    "resolve",
    "resume_account",
    "send_messages",
    "send_sms",
    "stop_after",
    "stop_on_signals",
    "why_waiting",
    "worst",
]
