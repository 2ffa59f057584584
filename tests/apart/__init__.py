"""A project whose SMS tables live in a database of their own."""
