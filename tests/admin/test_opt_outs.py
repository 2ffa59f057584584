"""The page of opt-outs: entered by hand or from a file, found by number, ended."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from negin_sms import services
from negin_sms.models import OptOut
from tests.admin.test_messages import make_user
from tests.factories import MOBILE, OTHER_MOBILE

pytestmark = pytest.mark.django_db

LIST = "/admin/negin_sms/optout/"
ENTER = f"{LIST}add/"
LINE = "9830003300"
DIGITS = "9395213300"


def log_in(*rights: str, sensitive: bool = False) -> Client:
    user = make_user(*(["view_sensitive"] if sensitive else []))
    names = [f"{right}_optout" for right in rights]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def shown(page) -> list[OptOut]:
    return list(page.context["cl"].result_list)


class TestEnter:
    @pytest.mark.parametrize("may", [False, True])
    def test_button_says_what_the_guide_says(self, may):
        rights = ["view", "add"] if may else ["view"]
        buttons = re.findall(r'class="addlink">(.+?)<', log_in(*rights).get(LIST).text)
        assert ("Enter opt-outs" in buttons) is may

    @pytest.mark.parametrize("may", [False, True])
    def test_guide_is_linked_for_those_who_may_read_it(self, may):
        client = log_in("view")
        if may:
            right = Permission.objects.get(codename="view_message")
            get_user_model().objects.get(username="staff").user_permissions.add(right)
        assert ("/guide/#opt-outs" in client.get(LIST).text) is may

    def test_no_link_leads_those_there_who_may_not_look(self):
        client = log_in("add")
        assert ENTER not in client.get("/admin/").text
        assert client.get(ENTER).status_code == 403

    def test_by_hand(self, admin_client, admin_user):
        wish = {"recipients": "0939 521 3300", "line": LINE, "reason": "wrote to us"}
        page = admin_client.post(ENTER, wish, follow=True)
        row = OptOut.objects.get()
        assert (row.mobile, row.line, row.account) == (MOBILE, LINE, "")
        assert (row.reason, row.until, row.created_by) == (
            "wrote to us",
            None,
            admin_user,
        )
        assert "1 opt-out was entered" in page.text

    def test_with_a_line_the_account_does_not_count_and_the_page_says_so(
        self, admin_client
    ):
        wish = {"recipients": "09395213300", "line": LINE, "account": "default"}
        assert "Used without a line only" in admin_client.get(ENTER).text
        admin_client.post(ENTER, wish)
        row = OptOut.objects.get()
        assert (row.line, row.account) == (LINE, "")

    def test_of_an_account_until_a_date(self, admin_client):
        wish = {"recipients": "09395213300", "account": "default"}
        page = admin_client.post(ENTER, wish | {"until": "1418/10/12"})
        assert "A day alone does not say when" in page.text
        admin_client.post(ENTER, wish | {"until": "1418/10/12 23:59"})
        row = OptOut.objects.get()
        assert (row.line, row.account) == ("", "default")
        assert row.until
        assert row.until.year == 2040

    def test_from_a_file(self, admin_client):
        people = b"name,mobile\nSara,09395213300\nAli,09390000000\n"
        file = SimpleUploadedFile("people.csv", people, "text/csv")
        admin_client.post(ENTER, {"file": file, "line": LINE})
        assert OptOut.objects.count() == 2

    def test_what_is_no_number_comes_back_and_the_rest_is_entered(self, admin_client):
        wish = {"recipients": "09395213300\n0211234", "line": LINE}
        page = admin_client.post(ENTER, wish)
        assert OptOut.objects.get().mobile == MOBILE
        assert "Not entered: no mobile number" in page.text
        assert page.context["form"]["recipients"].value() == "0211234\n"

    @pytest.mark.parametrize(
        "wish", [{"recipients": "x"}, {"line": "one"}, {"until": "tomorrow"}, {}]
    )
    def test_what_is_wrong_is_said(self, admin_client, wish):
        numbers = {} if not wish else {"recipients": "09395213300"}
        page = admin_client.post(ENTER, numbers | wish)
        assert "errorlist" in page.text or page.context["listed"]
        assert not OptOut.objects.exists()

    def test_is_in_the_journal_without_a_number(self, admin_client):
        admin_client.post(ENTER, {"recipients": "09395213300", "line": LINE})
        (entry,) = LogEntry.objects.all()
        assert entry.change_message == "1 opt-out was entered."
        assert DIGITS[3:] not in f"{entry.object_repr}"


class TestNumbers:
    @pytest.fixture(autouse=True)
    def _row(self):
        self.row = services.opt_out(MOBILE, line=LINE)

    @pytest.mark.parametrize("sensitive", [False, True])
    def test_is_whole_for_those_with_the_right_only(self, sensitive):
        client = log_in("view", "change", sensitive=sensitive)
        pages = [LIST, f"{LIST}{self.row.pk}/change/", f"{LIST}{self.row.pk}/history/"]
        html = "".join(client.get(page).text for page in pages)
        assert (DIGITS in html) is sensitive
        assert "0939•••3300" in html

    @pytest.mark.parametrize("term", ["09395213300", "+98 939 521 3300", "۰۹۳۹۵۲۱"])
    def test_is_found_in_any_spelling_and_stands_in_no_address(self, term):
        services.opt_out(OTHER_MOBILE)
        client = log_in("view", sensitive=True)
        page = client.post(LIST, {"q": term}, follow=True)
        ((address, _status),) = page.redirect_chain
        assert re.fullmatch(rf"{LIST}\?q=~[0-9a-f]{{8}}", unquote(address))
        assert shown(page) == [self.row]

    def test_is_not_found_without_the_right(self):
        client = log_in("view")
        page = client.post(LIST, {"q": MOBILE}, follow=True)
        assert shown(page) == []
        assert "takes the right to see them" in page.text

    @pytest.mark.parametrize("sensitive", [False, True])
    @pytest.mark.parametrize("term", ["3300", "۳۳۰۰", "0939•••3300"])
    def test_is_found_by_the_digits_that_all_may_see(self, term, sensitive):
        services.opt_out(OTHER_MOBILE)
        client = log_in("view", sensitive=sensitive)
        assert shown(client.post(LIST, {"q": term}, follow=True)) == [self.row]

    @pytest.mark.parametrize("sensitive", [False, True])
    def test_is_found_by_more_of_its_end_with_the_right_only(self, sensitive):
        client = log_in("view", sensitive=sensitive)
        page = client.post(LIST, {"q": "213300"}, follow=True)
        assert shown(page) == [self.row] * sensitive

    def test_filter_tells_what_holds(self):
        client = log_in("view")
        over = services.opt_out(OTHER_MOBILE)
        services.opt_in(OTHER_MOBILE)
        assert shown(client.get(f"{LIST}?lasts=yes")) == [self.row]
        assert shown(client.get(f"{LIST}?lasts=no")) == [over]


class TestEnd:
    @pytest.fixture(autouse=True)
    def chosen_and_other(self, db):
        self.rows = [
            services.opt_out(mobile, line=LINE) for mobile in (MOBILE, OTHER_MOBILE)
        ]
        self.client = log_in("view", "change")

    def ask(self, *rows, **more):
        data = {"action": "end_selected", "_selected_action": [r.pk for r in rows]}
        return self.client.post(LIST, data | more, follow=True)

    def answer(self, question):
        fields = re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', question.text)
        return self.client.post(LIST, dict(fields), follow=True)

    def test_asks_first(self):
        question = self.ask(self.rows[0])
        assert "1 opt-out ends" in question.text
        assert MOBILE not in question.text
        assert OptOut.objects.filter(until=None).count() == 2

    def test_of_those_that_are_chosen(self):
        page = self.answer(self.ask(self.rows[0]))
        assert "1 opt-out was ended" in page.text
        assert OptOut.objects.get(until=None) == self.rows[1]
        history = self.client.get(f"{LIST}{self.rows[0].pk}/history/").text
        assert "It was ended" in history

    def test_of_all_that_were_asked_about_and_of_nobody_who_came_meanwhile(self):
        question = self.ask(self.rows[0], select_across="1")
        later = services.opt_out("09000000001", line=LINE)
        assert "2 opt-outs were ended" in self.answer(question).text
        assert OptOut.objects.get(until=None) == later

    def test_of_those_that_are_over_asks_nothing(self):
        services.opt_in(MOBILE)
        assert "nothing was ended" in self.ask(self.rows[0]).text

    def test_by_its_date(self):
        row = self.rows[0]
        wish = {"reason": "came back", "until": "1418/10/12"}
        page = self.client.post(f"{LIST}{row.pk}/change/", wish)
        assert "A day alone does not say when" in page.text
        wish["until"] = timezone.localtime().isoformat()
        self.client.post(f"{LIST}{row.pk}/change/", wish)
        row.refresh_from_db()
        assert row.until
        assert (row.reason, row.mobile, row.line) == ("came back", MOBILE, LINE)


def test_every_choice_of_the_filters_has_words(admin_client):
    for line in ("", LINE):
        services.opt_out(MOBILE, line=line)
    html = admin_client.get(LIST).text
    words = re.findall(r'<a href="\?line[^"]*">(.*?)</a>', html)
    assert [re.sub("<[^>]*>", "", each) for each in words] == ["Every line", LINE]
    assert '<td class="field-shown_line">Every line</td>' in html
