"""The admin: what stands where, drafts, and the services at the press of a button.

``messages`` is the page, ``forms`` the drafts, ``displays`` and ``filters`` what is
shown of a row. A new button is one Operation in ``operations``, a permission of
its name, and a row in that module's table; ``views`` does the rest.
"""

from .accounts import AccountStateAdmin
from .messages import MessageAdmin

__all__ = ["AccountStateAdmin", "MessageAdmin"]
