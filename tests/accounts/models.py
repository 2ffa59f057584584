"""A user model of a project's own."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    class Meta:
        app_label = "accounts"
