"""How a project tests its own messages: ``manage.py test clinic``."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.utils import timezone

from negin_sms.models import Message
from negin_sms.services import dispatch_queue
from negin_sms.testing import SmsTestMixin

from .messages import pay, send_code
from .models import Patient, Visit
from .reminders import forget, remind


class ClinicTests(SmsTestMixin, TestCase):
    """Codes leave at once, receipts and reminders wait for the dispatcher."""

    def setUp(self) -> None:
        super().setUp()
        self.sara = Patient.objects.create(full_name="Sara", mobile="0939 521 3300")

    def test_code_is_sent_at_once_and_is_not_kept_for_long(self) -> None:
        code = send_code(self.sara)
        self.assertSmsSent(to="09395213300", containing=code or "no code")
        self.assertTrue(Message.objects.get().sensitive)

    def test_code_that_is_refused_is_none(self) -> None:
        self.sms_outbox.refuse(3)
        self.assertIsNone(send_code(self.sara))

    def test_receipt_is_sent_once_however_often_it_is_asked_for(self) -> None:
        first, second = pay(self.sara, 7, 500_000), pay(self.sara, 7, 500_000)
        self.assertEqual(first.pk, second.pk)
        dispatch_queue()
        self.assertSmsCount(1, to="09395213300", containing="500,000")

    def test_reminder_follows_its_visit(self) -> None:
        visit = Visit.objects.create(
            patient=self.sara, begins_at=timezone.now() + timedelta(days=3)
        )
        first = remind(visit)
        visit.begins_at += timedelta(days=1)
        second = remind(visit)
        first.refresh_from_db()
        self.assertEqual(first.status, "cancelled")
        self.assertEqual(second.due_at - first.due_at, timedelta(days=1))
        forget(visit)
        self.assertFalse(Message.objects.filter(status="queued").exists())

    def test_visit_that_is_saved_unchanged_is_not_reminded_of_again(self) -> None:
        boss = get_user_model().objects.create_superuser("boss")
        self.client.force_login(boss)
        tomorrow = timezone.localtime() + timedelta(days=1)
        day, hour = f"{tomorrow:%Y-%m-%d}", f"{tomorrow:%H:%M}:00"
        form = {"patient": self.sara.pk, "begins_at_0": day, "begins_at_1": hour}
        self.client.post("/admin/clinic/visit/add/", form)
        (visit,) = Visit.objects.all()
        self.client.post(f"/admin/clinic/visit/{visit.pk}/change/", form)
        self.assertEqual(Message.objects.count(), 1)
        self.assertEqual(str(visit), f"Sara, {tomorrow:%Y-%m-%d %H:%M}")
        later = form | {"begins_at_0": f"{tomorrow + timedelta(days=1):%Y-%m-%d}"}
        self.client.post(f"/admin/clinic/visit/{visit.pk}/change/", later)
        self.assertEqual(Message.objects.count(), 2)

    def test_reminder_follows_its_patient(self) -> None:
        boss = get_user_model().objects.create_superuser("boss")
        self.client.force_login(boss)
        visit = Visit.objects.create(
            patient=self.sara, begins_at=timezone.now() + timedelta(days=3)
        )
        remind(visit)
        page = f"/admin/clinic/patient/{self.sara.pk}"
        form = {"full_name": "Sara", "mobile": "12"}
        self.assertContains(self.client.post(f"{page}/change/", form), "errorlist")
        self.client.post(f"{page}/change/", form | {"mobile": "09395213301"})
        self.assertEqual(Message.objects.get().mobile, "+989395213301")
        self.client.post(f"{page}/delete/", {"post": "yes"})  # is protected
        self.client.post(f"/admin/clinic/visit/{visit.pk}/delete/", {"post": "yes"})
        self.assertEqual(Message.objects.get().status, "cancelled")
        self.client.post(f"{page}/delete/", {"post": "yes"})
        self.assertFalse(Patient.objects.exists())

    def test_chosen_patients_are_written_to(self) -> None:
        boss = get_user_model().objects.create_superuser("boss")
        self.client.force_login(boss)
        page = self.client.post(
            "/admin/clinic/patient/",
            {"action": "write_sms", "_selected_action": [self.sara.pk]},
        )
        self.assertContains(page, "0939 521 3300")
