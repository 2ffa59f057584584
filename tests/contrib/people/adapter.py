from allauth.account.adapter import DefaultAccountAdapter

from negin_sms.contrib.allauth import SMSAdapterMixin
from negin_sms.phones import normalize_mobile
from tests.contrib.people.models import Phone


class AccountAdapter(SMSAdapterMixin, DefaultAccountAdapter):
    def set_phone(self, user, phone, verified):
        values = {"number": phone, "verified": verified}
        Phone.objects.update_or_create(user=user, defaults=values)

    def set_phone_verified(self, user, phone):
        # A number that was changed comes here only.
        self.set_phone(user, normalize_mobile(phone), True)

    def get_phone(self, user):
        phones = Phone.objects.filter(user=user)
        return phones.values_list("number", "verified").first()

    def get_user_by_phone(self, phone):
        phone = Phone.objects.filter(number=phone).select_related("user").first()
        return phone and phone.user
