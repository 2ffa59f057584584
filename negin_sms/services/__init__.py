"""The API: send, queue, dispatch, poll. The only place where a row meets an answer.

``send_sms`` sends now, ``queue_sms`` and ``queue_many`` leave it to the dispatcher
(``dispatch_queue``), ``poll_states`` learns what became of the messages. Read
``negin_sms.exceptions`` for what can go wrong and what to do then.
"""

from .asynchronous import aqueue_sms, arefresh_states, asend_sms
from .blanking import blank_sensitive_texts
from .breaker import pause_account, resume_account
from .claims import rescue
from .deciding import resend, resolve
from .dispatching import dispatch_queue
from .doctor import examine
from .drafting import purge_drafts
from .findings import Diagnosis, Finding
from .glances import AccountGlance, Glance, glance
from .polling import poll_states, refresh_states
from .purging import PurgeReport, purge_messages
from .queueing import cancel, queue_many, queue_messages, queue_sms
from .reporting import DeliveryReport, delivery_report
from .reports import ActionReport, DispatchReport, PollReport
from .restoring import HoldReport, ReleaseReport, hold_queue, release_queue
from .sending import send_messages, send_sms
from .status import AccountStatus, QueueStatus, dispatcher_is_missing, queue_status
from .stopping import stop_after, stop_on_signals

__all__ = [
    "AccountGlance",
    "AccountStatus",
    "ActionReport",
    "DeliveryReport",
    "Diagnosis",
    "DispatchReport",
    "Finding",
    "Glance",
    "HoldReport",
    "PollReport",
    "PurgeReport",
    "QueueStatus",
    "ReleaseReport",
    "aqueue_sms",
    "arefresh_states",
    "asend_sms",
    "blank_sensitive_texts",
    "cancel",
    "delivery_report",
    "dispatch_queue",
    "dispatcher_is_missing",
    "examine",
    "glance",
    "hold_queue",
    "pause_account",
    "poll_states",
    "purge_drafts",
    "purge_messages",
    "queue_many",
    "queue_messages",
    "queue_sms",
    "queue_status",
    "refresh_states",
    "release_queue",
    "rescue",
    "resend",
    "resolve",
    "resume_account",
    "send_messages",
    "send_sms",
    "stop_after",
    "stop_on_signals",
]
