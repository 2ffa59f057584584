"""A shop: a code to sign up with, news to all, and what became of them."""

from __future__ import annotations

import secrets

from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import path

from negin_sms.models import Message
from negin_sms.services import queue_many, send_sms
from negin_sms.signals import message_settled

arrived: list[str] = []


def sign_up(request: HttpRequest) -> HttpResponse:
    code = request.session["code"] = f"{secrets.randbelow(10**6):06}"
    send_sms(request.POST["mobile"], f"Your code: {code}", sensitive=True)
    return HttpResponse("Enter the code we sent you.")


def announce(mobiles: list[str], text: str) -> list[Message]:
    return queue_many({"mobile": mobile, "text": text} for mobile in mobiles)


@receiver(message_settled)
def note_arrival(sender: type, message: Message, **kwargs: object) -> None:
    if message.state == 1:
        arrived.append(message.mobile)


urlpatterns = [path("sign-up/", sign_up)]
