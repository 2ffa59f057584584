#!/usr/bin/env python
"""The example project's command line; runs from any directory."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Put this folder on the path and hand over to Django."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
