"""The size of the rooms, and that each has its tests where one looks for them."""

from __future__ import annotations

import ast
from pathlib import Path

import negin_sms

PACKAGE = Path(negin_sms.__file__).parent
TESTS = Path(__file__).parents[1]
MODULES = [
    path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts[-2:-1]
]
SERVICES = PACKAGE / "services"


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def long_functions(source: str, most: int = 39) -> list[str]:
    """Return the functions of more lines, from ``def`` on, docstring and all."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > most
    ]


def test_files_stay_under_300_lines():
    lengths = {name(path): path.read_text().count("\n") for path in MODULES}
    assert {file: length for file, length in lengths.items() if length >= 300} == {}


def test_functions_stay_under_40_lines():
    found = {name(path): long_functions(path.read_text()) for path in MODULES}
    assert {file: long for file, long in found.items() if long} == {}


def test_a_long_function_is_seen():
    source = '@g\ndef f(\n    a,\n):\n    """Say."""\n' + "    a += 1\n" * 36
    assert long_functions(source) == ["f"]
    assert long_functions(source, most=40) == []


def entries(folder: Path) -> list[str]:
    """Return the modules and packages in a folder, beside its ``__init__``."""
    packages = [each.parent.name for each in folder.glob("*/__init__.py")]
    modules = [each.stem for each in folder.glob("*.py") if each.stem != "__init__"]
    return sorted(packages + modules)


def test_services_has_few_entries():
    assert len(entries(SERVICES)) <= 13


def test_no_package_of_services_has_many_files():
    packages = [path.parent for path in SERVICES.glob("**/__init__.py")]
    sizes = {name(path): len(list(path.glob("*.py"))) - 1 for path in packages}
    assert {file: size for file, size in sizes.items() if size > 12} == {}


def test_no_service_imports_what_is_public():
    """``negin_sms.services`` is for callers; services import each other's modules."""
    callers = {"__init__.py", "asynchronous.py"}
    found = [
        name(path)
        for path in SERVICES.rglob("*.py")
        if path.relative_to(SERVICES).as_posix() not in callers
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "negin_sms.services"
        for each in node.names
        if each.name not in entries(SERVICES)
    ]
    assert found == []


def mirrored(path: Path) -> Path:
    """Return where a module's tests are."""
    inside = path.relative_to(PACKAGE)
    return TESTS / inside.parent / f"test_{inside.name}"


def test_each_module_has_its_tests_in_the_mirrored_place():
    below = [path for path in MODULES if path.parent == PACKAGE]
    for package in ("services", "gateway"):
        below += [path for path in MODULES if PACKAGE / package in path.parents]
    missing = [name(path) for path in below if not mirrored(path).exists()]
    assert [each for each in missing if not each.endswith("__init__.py")] == []
