"""An app that keeps phone numbers of users, as a project would."""
