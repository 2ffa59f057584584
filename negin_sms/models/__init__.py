"""Fields, constraints, indexes and the verbs of one row; no input or output.

The constraints are plain ones: MariaDB and MySQL have no conditional or expression
indexes. The services move rows by compare-and-set updates; nothing here does.
"""

from .account_state import AccountState
from .alert import Alert
from .cap_count import CapCount
from .daily_counts import CountedDay, DailyCount
from .delivery_state import DeliveryState
from .message import Message
from .opt_out import OptOut
from .sms_template import SmsTemplate

__all__ = [
    "AccountState",
    "Alert",
    "CapCount",
    "CountedDay",
    "DailyCount",
    "DeliveryState",
    "Message",
    "OptOut",
    "SmsTemplate",
]
