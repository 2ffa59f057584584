"""Words of Django's own pages that its Persian catalogue lacks: ours has them.

Nothing reads this list but ``makemessages``. Whole sentences of the admin's, and a few
words of its templates; where Django, or a project, has a word of its own, the order of
INSTALLED_APPS says whose is shown. A word goes when every supported Django has it.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop, ngettext_lazy

DJANGO_STRINGS = (
    gettext_noop("- Select an option -"),
    gettext_noop("Run"),
    gettext_noop("Breadcrumbs"),
    gettext_noop("Model name"),
    gettext_noop("Search %(name)s"),
    gettext_noop("Pagination %(name)s"),
    gettext_noop("Pagination %(name)s entries"),
    gettext_noop("Select this object for an action - {}"),
    gettext_noop(
        "Are you sure you want to delete the %(object_name)s “%(escaped_object)s”? All "
        "of the following related items will be deleted:"
    ),
    ngettext_lazy("entry", "entries"),
    ngettext_lazy(
        "Please correct the error below.", "Please correct the errors below."
    ),
)
