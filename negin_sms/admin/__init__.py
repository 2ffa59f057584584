"""The admin: what stands where, drafts, and the services at the press of a button.

``messages`` is the page, ``forms`` the drafts, ``displays`` and ``filters`` what is
shown of a row, ``privacy`` who sees it. A new button is one MessageAction in
``operations``, a permission of its name, and a row in that module's table; ``views``
does the rest. ``review`` is the page of the uncertain messages,
``text_templates`` the texts that staff keep, ``recipients`` the way from the project's
own people to the compose page, ``opt_outs`` who wants no messages.

Every part is a mixin without ``ModelAdmin``: a project with a themed admin puts
MessageAdminMixin, AccountStateAdminMixin, SmsTemplateAdminMixin and OptOutAdminMixin
before the class of its theme.
"""

from .accounts import AccountStateAdmin, AccountStateAdminMixin
from .messages import MessageAdmin, MessageAdminMixin
from .opt_outs import OptOutAdmin, OptOutAdminMixin
from .recipients import SmsRecipientsMixin
from .text_templates import SmsTemplateAdmin, SmsTemplateAdminMixin

__all__ = [
    "AccountStateAdmin",
    "AccountStateAdminMixin",
    "MessageAdmin",
    "MessageAdminMixin",
    "OptOutAdmin",
    "OptOutAdminMixin",
    "SmsRecipientsMixin",
    "SmsTemplateAdmin",
    "SmsTemplateAdminMixin",
]
