"""The pages of a site that sends in its requests; ``tests.async_site`` serves it."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

from negin_sms.models import Message
from negin_sms.services import asend_sms


async def send(request: HttpRequest) -> JsonResponse:
    message = await asend_sms("09395213300", request.GET["text"])
    return JsonResponse({"status": message.status})


async def count(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"messages": await Message.objects.acount()})


urlpatterns = [path("send", send), path("count", count)]
