"""SMS through the Negin panel (sms.3300.ir), and what became of every message."""

__version__ = "1.0.0rc1"
