"""The counts of days that are over."""

from __future__ import annotations

from django.db import models


class CountedDay(models.Model):
    """A day of the report: whether its counts stand, and whether they stand for good.

    ``frozen`` days have lost messages since, so they are never counted anew.
    """

    day = models.DateField(primary_key=True)
    counted_at = models.DateTimeField(null=True)
    frozen = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"


class DailyCount(models.Model):
    """How many messages of a day and an account ended how, by one of their dimensions.

    Not by all dimensions at once: the rows of a day are then a sum, not a product.
    ``times`` is a histogram of delivery times; ``services.statistics.counts`` has its
    buckets.
    """

    day = models.DateField(db_index=True)
    account = models.CharField(max_length=64)
    dimension = models.CharField(max_length=12)
    value = models.CharField(max_length=64, blank=True)
    delivered = models.PositiveIntegerField()
    undelivered = models.PositiveIntegerField()
    at_operator = models.PositiveIntegerField()
    waiting = models.PositiveIntegerField()
    no_report = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    uncertain = models.PositiveIntegerField()
    not_sent = models.PositiveIntegerField()
    fallback = models.PositiveIntegerField()
    parts = models.PositiveIntegerField()
    times = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.account} {self.dimension}"
