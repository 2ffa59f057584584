"""Only transitions and the engines write where a message stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import negin_sms

PACKAGE = Path(negin_sms.__file__).parent
OWNED = {"status", "claim", "due_at", "claimed_until", "finished_at"}
DOOR = ("services/outbox/transitions.py", "services/outbox/engines/")
MAKER = "services/submission/compose.py"
SET_IN_SQL = re.compile(rf"\bSET\b.*?\b({'|'.join(sorted(OWNED))})\b\W*=", re.DOTALL)
UPDATES = {"update", "aupdate", "save", "asave"}
MAKERS = {"Message", "create", "acreate", "get_or_create", "update_or_create"}


def writes(source: str, *, may_make: bool = False) -> list[str]:
    """Return the owned columns that a module's source writes, each with its line."""
    tree = ast.parse(source)
    found = set()
    for node in ast.walk(tree):
        if not (may_make and _is_making(node)):
            columns = OWNED.intersection(_written(node, tree))
            line = getattr(node, "lineno", 0)
            found |= {f"{line}: {column}" for column in columns}
    return sorted(found)


def _written(node: ast.AST, tree: ast.Module) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.Constant | ast.JoinedStr):
        yield from SET_IN_SQL.findall(_text(node))
    elif isinstance(node, ast.Call):
        yield from _written_by_call(node, tree)


def _written_by_call(call: ast.Call, tree: ast.Module) -> Iterator[str]:
    name = _name(call.func)
    if name == "setattr" or "bulk_update" in name:
        yield from _strings(call.args[1])
    if name in UPDATES | MAKERS:
        yield from (word.arg for word in call.keywords if word.arg)
        for word in call.keywords:
            if word.arg is None:
                yield from _unpacked(word.value, tree)
            elif word.arg in ("update_fields", "defaults"):
                yield from _strings(word.value)


def _is_making(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in MAKERS


def _unpacked(value: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Give the keys of a dict that is unpacked: written there, before, or returned."""
    yield from _strings(value)
    for node in ast.walk(tree):
        names = {_name(each) for each in ast.walk(value)} - {""}
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield from (key for each in ast.walk(node) for key in _keys(each))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Subscript) and _name(target.value) in names:
                    yield from _strings(target.slice)
                elif _name(target) in names and node.value:
                    yield from (k for n in ast.walk(node.value) for k in _keys(n))


def _keys(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        yield from (key for each in node.keys if each for key in _strings(each))
    elif isinstance(node, ast.Call) and _name(node.func) == "dict":
        yield from (word.arg for word in node.keywords if word.arg)


def _strings(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_strings(node))
    return node.value if isinstance(node.value, str) else ""


def _name(node: ast.AST) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def test_no_other_module_writes_where_a_message_stands():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith((*DOOR, "migrations/")):
            found[name] = writes(path.read_text(), may_make=name == MAKER)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_door_itself_is_seen_to_write():
    assert len(writes((PACKAGE / DOOR[0]).read_text())) > 10
    assert writes((PACKAGE / MAKER).read_text()) != []


@pytest.mark.parametrize(
    "source",
    [
        "rows.update(status='queued')",
        "rows.update(**{'due_at': now})",
        "columns = {'claim': ''}\nrows.update(**columns)",
        "columns = {}\ncolumns['finished_at'] = now\nrows.update(**columns)",
        "columns = dict(claim='')\nrows.update(text='', **columns)",
        "def over():\n    return {'status': 1}\nrows.update(**over())",
        "message.claimed_until = None",
        "message.text, message.status = '', 'held'",
        "setattr(message, 'status', 'held')",
        "message.save(update_fields=['due_at'])",
        "Message.objects.bulk_update(rows, ['status'])",
        "cursor.execute('UPDATE t SET detail = 1, status = 2 WHERE id = 3')",
        "cursor.execute(f'UPDATE {table} SET claim = %s')",
        "Message(status='queued')",
        "Message.objects.create(mobile='', due_at=now)",
    ],
)
def test_each_way_to_write_is_seen(source):
    assert len(writes(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "rows.filter(status='queued', claim=claim)",
        "if message.status == 'queued': print(message.due_at)",
        "rows.update(poll_at=now, detail='')",
        "{'status': row.status}",
        "cursor.execute('UPDATE t SET detail = 1 FROM told')",
    ],
)
def test_reading_is_not_writing(source):
    assert writes(source) == []
