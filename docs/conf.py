"""Sphinx: what the pages are made of beside their words."""

import sys
from pathlib import Path

import django
from django.conf import settings

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

# Enough of a project for the models, the commands and the docstrings to be read.
settings.configure(
    USE_TZ=True,
    INSTALLED_APPS=[
        "negin_sms",
        "django.contrib.auth",
        "django.contrib.contenttypes",
    ],
    NEGIN_SMS={
        "default": {"BACKEND": "negin_sms.gateway.memory.MemoryGateway"},
    },
)
django.setup()

from negin_sms import __version__

project = "django-negin-sms"
author = "The django-negin-sms developers"
version = release = __version__
extensions = ["sphinx.ext.autodoc", "from_code", "from_guide", "from_readme"]
exclude_patterns = ["_build"]
smartquotes = False  # options of commands begin with two dashes
html_theme = "furo"
html_title = "django-negin-sms"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_copyright = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"show-inheritance": True}
