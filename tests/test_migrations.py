"""Upgrading: no migration loses data, and none stops a worker of the version before.

Migrations are walked through as they are found, so the next one is tested already.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError

import negin_sms.migrations
from tests import migrating

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = Path(negin_sms.migrations.__file__).parent / "0001_initial.py"
NEXT = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("negin_sms", "0001_initial")]
    operations = [{operation}]
"""
# What a careless upgrade may hold.
LOSES_DATA = {
    "a column": 'migrations.RemoveField("message", "source")',
    "rows": 'migrations.RunSQL("DELETE FROM negin_sms_deliverystate", "")',
    "a value": "migrations.RunSQL(\"UPDATE negin_sms_message SET text = 'x'\", '')",
}
NEW_FIELD = 'migrations.AddField("message", "extra", models.IntegerField({options}))'
STOPS_OLDER_WORKERS = {
    "a column that must be given": NEW_FIELD.format(options="default=1"),
    "a column that has gone": LOSES_DATA["a column"],
}
FITS = {
    "a column that may be null": NEW_FIELD.format(options="null=True"),
    "a column with a default of the database": NEW_FIELD.format(
        options="default=1, db_default=1"
    ),
}


@pytest.fixture(autouse=True)
def _newest_tables(transactional_db):
    """Leave the tables as the real migrations make them, whatever a test did."""
    yield
    migrating.migrate(migrating.names()[-1])


@pytest.fixture
def add_migration(_newest_tables, tmp_path: Path, monkeypatch, settings):
    """Give a function that adds a second migration to a copy of the first."""
    folder = tmp_path / "careless_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(FIRST, folder)

    def add(operation: str) -> None:
        migrating.migrate(FIRST.stem)
        (folder / "0002_next.py").write_text(NEXT.format(operation=operation))
        monkeypatch.syspath_prepend(tmp_path)
        settings.MIGRATION_MODULES = {"negin_sms": folder.name}

    yield add
    migrating.migrate(FIRST.stem)
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def data_lost() -> list[str]:
    """Fill the tables of every older version, upgrade each; return what that lost."""
    *older, newest = migrating.names()
    found = []
    for name in older or [newest]:
        migrating.migrate(None)
        migrating.migrate(name)
        migrating.fill(migrating.models_of(name))
        before = migrating.read(migrating.models_of(name))
        migrating.migrate(newest)
        found += migrating.lost(before, migrating.read(migrating.models_of(newest)))
    return found


def use_older_workers() -> None:
    """Insert, update, read and delete as older versions do, in the newest tables."""
    *older, newest = migrating.names()
    migrating.migrate(newest)
    for name in older or [newest]:
        models = migrating.models_of(name)
        migrating.fill(models)
        migrating.rewrite(models)
        migrating.read(models)
        migrating.empty(models)


def test_data_survives_every_upgrade():
    assert data_lost() == []


def test_older_workers_work_on_in_new_tables():
    use_older_workers()


def test_every_table_and_column_holds_something():
    """Or else the tests above would compare nothing with nothing."""
    newest = migrating.models_of(migrating.names()[-1])
    migrating.fill(newest)
    rows = migrating.read(newest)
    assert {"message", "deliverystate", "accountstate", "dailycount"} <= rows.keys()
    assert all(len(found) == 1 for found in rows.values())
    empty = {name for name, value in rows["message"][0].items() if value in (None, "")}
    assert empty == {"line2", "template", "created_by_id", "resend_of_id"}


@pytest.mark.long
class TestCareless:
    """The tests above can fail: here they meet what should never be released."""

    @pytest.mark.parametrize("operation", LOSES_DATA.values(), ids=LOSES_DATA)
    def test_lost_data_is_found(self, add_migration, operation):
        add_migration(operation)
        assert data_lost()

    @pytest.mark.parametrize(
        "operation", STOPS_OLDER_WORKERS.values(), ids=STOPS_OLDER_WORKERS
    )
    def test_change_that_stops_older_workers_is_found(self, add_migration, operation):
        add_migration(operation)
        with pytest.raises(DatabaseError):
            use_older_workers()

    @pytest.mark.parametrize("operation", FITS.values(), ids=FITS)
    def test_change_that_fits_is_none(self, add_migration, operation):
        add_migration(operation)
        use_older_workers()
        assert data_lost() == []
