"""Walking through the app's migrations with data in every table.

Generic over the models: a migration to come is walked through by the same tests,
without a line here. Only where a constraint asks for more than the field's type says
does FITTING name a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.apps.registry import Apps
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor

APP = "negin_sms"
MOMENT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
VALUES: dict[type[models.Field[Any, Any]], Any] = {
    models.BooleanField: True,
    models.IntegerField: 7,
    models.FloatField: 0.5,
    models.DateTimeField: MOMENT,
    models.DateField: date(2026, 11, 22),
    models.JSONField: [1, 2, 3],
    models.TextField: "سلام",
}
FITTING: dict[str, dict[str, Any]] = {
    "message": {
        "scenario": "single",
        "status": "accepted",
        "line": "9830003300",
        "line2": "",
        "template": None,
    },
    "optout": {"account": ""},
}

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each model, as dicts of their columns."""


def names() -> list[str]:
    """Return the app's migrations, the first one first."""
    graph = MigrationExecutor(connection).loader.graph
    plan = graph.forwards_plan(graph.leaf_nodes(APP)[0])
    return [name for app, name in plan if app == APP]


def migrate(name: str | None) -> None:
    """Migrate the app to one of its migrations; None for none, and no tables."""
    target: Any = (APP, name)
    MigrationExecutor(connection).migrate([target])


def models_of(name: str) -> Apps:
    """Return the models as they were after a migration."""
    loader = MigrationExecutor(connection).loader
    # With the user model, whichever migration of its app it comes from.
    others = [key for key in loader.graph.leaf_nodes() if key[0] != APP]
    return loader.project_state([*others, (APP, name)]).apps


def fill(apps: Apps) -> None:
    """Insert a row into every table of the app, by models of some time."""
    made: dict[Any, Any] = {}
    for model in _in_order(apps):
        made[model] = model._default_manager.create(**_values(model, made))


def rewrite(apps: Apps) -> None:
    """Update every row of every table, all columns of it."""
    for model in _in_order(apps):
        for row in model._default_manager.all():
            row.save(force_update=True)


def empty(apps: Apps) -> None:
    """Delete all rows."""
    for model in reversed(_in_order(apps)):
        model._default_manager.all().delete()


def read(apps: Apps) -> Rows:
    """Return all rows of the app."""
    return {
        model._meta.model_name or "": list(
            model._default_manager.order_by("pk").values()
        )
        for model in _in_order(apps)
    }


def lost(before: Rows, after: Rows) -> list[str]:
    """Return what of the rows is not there any more, or says something else."""
    found = []
    for model, rows in before.items():
        if len(after.get(model, [])) != len(rows):
            found.append(f"{model}: {len(after.get(model, []))} rows of {len(rows)}")
            continue
        for old, new in zip(rows, after[model], strict=True):
            found += [
                f"{model}.{name}: {value!r} became {new.get(name)!r}"
                for name, value in old.items()
                if new.get(name) != value
            ]
    return found


def _in_order(apps: Apps) -> list[type[models.Model]]:
    """Return the app's models, each after those that it points at."""
    ours = list(apps.get_app_config(APP).get_models())
    return sorted(ours, key=lambda model: sum(1 for _ in _parents(model)))


def _parents(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for field in model._meta.concrete_fields:
        target = field.related_model
        if isinstance(target, type) and target is not model:
            yield from (target, *_parents(target))


def _values(model: type[models.Model], made: dict[Any, Any]) -> dict[str, Any]:
    values = {
        field.name: _value(field, made)
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    }
    return {**values, **FITTING.get(model._meta.model_name or "", {})}


def _value(field: models.Field[Any, Any], made: dict[Any, Any]) -> Any:
    if field.is_relation:
        return made.get(field.related_model)
    if field.choices:
        return next(value for value, _label in field.flatchoices if value != "")
    if isinstance(field, models.CharField):
        return field.name[: field.max_length]
    return next(VALUES[kind] for kind in type(field).__mro__ if kind in VALUES)
