from django.conf import settings
from django.db import models


class Phone(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    number = models.CharField(max_length=16, unique=True)
    verified = models.BooleanField(default=False)

    def __str__(self):
        return f"phone of {self.user_id}"
