"""A clinic: codes, receipts, reminders, and a word to chosen patients."""
