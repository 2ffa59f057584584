"""Adapters for other apps; each is imported only by the projects that use it."""
