"""What the app tells a project, each time after the change is durable.

All have ``sender=Message`` and ``message``, the row. But for ``pre_send`` it is the row
after the change, and a receiver that raises stops nothing and is logged
(``django.dispatch``). They are sent by the process that made the change, in its
database thread, and at most once: a process that is killed between the commit and
the signal sends none. What must not be missed is read from the rows. Work that takes
long belongs into a task of your own, for the dispatcher and the poller wait.
"""

from __future__ import annotations

from django.dispatch import Signal

# A message is claimed and about to be sent; ``message`` is its row. A receiver that
# raises ``Vetoed(reason)`` stops it: it is cancelled with that reason. After any other
# exception it goes back to the queue and is tried later, for nobody knows whether it
# may be sent. No transaction is open; be quick, a claim does not last for ever.
pre_send = Signal()

# The gateway gave the message an id; or a person decided so.
message_accepted = Signal()

# The gateway refused the message for good; or a person decided so.
message_rejected = Signal()

# The message may have been sent, and a person has to decide.
message_uncertain = Signal()

# The gateway's word on the delivery moved up. Also ``previous``: the code that
# ``message.state`` had before, or None.
state_changed = Signal()

# Polling has ended, with a last word or without one (``message.has_no_report``).
message_settled = Signal()
