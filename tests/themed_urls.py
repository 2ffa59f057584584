"""An admin site in the theme of django-unfold, made of our mixins."""

from django.contrib.auth import get_user_model
from django.urls import path
from unfold.admin import ModelAdmin
from unfold.sites import UnfoldAdminSite

from negin_sms.admin import (
    AccountStateAdminMixin,
    MessageAdminMixin,
    OptOutAdminMixin,
    SmsTemplateAdminMixin,
)
from negin_sms.models import AccountState, Message, OptOut, SmsTemplate


class ThemedMessageAdmin(MessageAdminMixin, ModelAdmin):
    pass


class ThemedAccountStateAdmin(AccountStateAdminMixin, ModelAdmin):
    pass


class ThemedOptOutAdmin(OptOutAdminMixin, ModelAdmin):
    pass


class ThemedSmsTemplateAdmin(SmsTemplateAdminMixin, ModelAdmin):
    pass


site = UnfoldAdminSite()
site.register(Message, ThemedMessageAdmin)
site.register(AccountState, ThemedAccountStateAdmin)
site.register(OptOut, ThemedOptOutAdmin)
site.register(SmsTemplate, ThemedSmsTemplateAdmin)
site.register(get_user_model(), ModelAdmin)
urlpatterns = [path("admin/", site.urls)]
