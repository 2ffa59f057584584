"""Reports: what is added up, and when a run has failed."""

from __future__ import annotations

import pytest

from negin_sms.services.reports import DispatchReport, PollReport


@pytest.mark.parametrize(
    ("report", "failed"),
    [
        (DispatchReport(), False),
        (DispatchReport(accepted=1, rejected=3), False),
        (DispatchReport(rejected=3), True),
        (DispatchReport(paused={"default": "credit"}), True),
        (DispatchReport(accepted=1, unwritten=1), True),
        (DispatchReport(put_off=2), False),
    ],
)
def test_run_has_failed_where_nothing_left_or_nobody_knows(report, failed):
    assert report.failed is failed


def test_reports_of_two_accounts_are_added():
    both = PollReport(asked=2, errors=("a",)) + PollReport(asked=1, errors=("b",))
    assert (both.asked, both.errors) == (3, ("a", "b"))
