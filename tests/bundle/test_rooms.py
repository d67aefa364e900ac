"""Imports go down the table of rooms, never in a circle; only scripts print and exit."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    ("errors", "domain", "paths", "progress"),
    ("option_values",),
    ("options",),
    ("phantom",),
    ("geometry",),
    ("images",),
    ("networks",),
    ("registration",),
    ("fusion",),
    ("results", "export"),
    ("api",),
    ("metrics", "losses"),
    ("transforms",),
    ("workflow",),
    ("training",),
    ("evaluation",),
)
"""From the ground up; the rooms of one line may use each other, but not in a circle."""

RANK = {room: rank for rank, floor in enumerate(ROOMS) for room in floor}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "bundle").rglob("*.py"))
}


def room(module: str) -> str:
    return module.split(".")[1]


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules of the bundle that a file imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


GRAPH = {
    module: {
        found
        for found in imports(ast.parse(path.read_text(encoding="utf-8")))
        if found.split(".")[0] in ("bundle", "scripts") and found != module
    }
    for module, path in MODULES.items()
    if module != "bundle"
}


def test_every_room_has_its_place():
    assert {room(module) for module in GRAPH} == set(RANK)


@pytest.mark.parametrize("module", GRAPH)
def test_no_import_runs_up(module):
    for found in GRAPH[module]:
        assert found.startswith("bundle"), f"{module} imports {found}"
        if found != "bundle":  # the version
            assert RANK[room(found)] <= RANK[room(module)], f"{module} imports {found}"


def test_no_import_goes_in_a_circle():
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module in done:
            return
        for found in sorted(GRAPH.get(module, ())):
            if found in GRAPH and found not in (module, module.rpartition(".")[0]):
                visit(found, (*way, module))
        done.add(module)

    for module in GRAPH:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_only_scripts_print_and_exit(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "exit", "quit", "SystemExit"}
    assert "sys.exit" not in MODULES[module].read_text(encoding="utf-8")
