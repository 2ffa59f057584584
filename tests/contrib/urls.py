"""URLs of the apps that are installed, beside the admin's."""

from django.apps import apps
from django.http import HttpResponse
from django.urls import include, path

from tests.urls import urlpatterns as ours

urlpatterns = [
    *ours,
    path("home/", lambda request: HttpResponse(f"{request.user.is_verified()}")),
]
if apps.is_installed("two_factor"):
    from two_factor.urls import urlpatterns as two_factor

    urlpatterns.append(path("", include(two_factor)))
if apps.is_installed("allauth"):
    urlpatterns.append(path("accounts/", include("allauth.urls")))
if apps.is_installed("django_otp"):
    from django_otp.admin import OTPAdminSite

    urlpatterns.append(path("otp/", OTPAdminSite("otp_admin").urls))
