"""MariaDB's and MySQL's words."""

from __future__ import annotations

import pytest
from django.db import connection

from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.mysql import MysqlEngine


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "mysql", reason="asks MariaDB or MySQL")
def test_server_is_known_by_an_id_that_stays():
    engine = engine_for("default")
    assert isinstance(engine, MysqlEngine)
    assert engine.server_identity() == engine.server_identity() != ""
