"""Who may import whom: the floors of the library, no circles, and command lines that start without TensorFlow."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the top floor down; a package imports from itself and from the floors below, never from above or from
# a neighbour on its floor. Modules at the root of the library belong to no floor: they import nothing above errors.
FLOORS = (
    ("apps",),
    ("cli",),
    ("pages",),
    ("prediction",),
    ("serving",),
    ("training",),
    ("datasets", "decoding", "layers", "text", "audio"),
    ("recurrences",),
    ("native",),
)
HEIGHT = {package: len(FLOORS) - number for number, floor in enumerate(FLOORS) for package in floor}
# What each package on the floor of five may use of its neighbours.
NEIGHBOURS = {("datasets", "audio"): "recordings are read from files by the audio package"}
# What a command line needs for --help or for asking a server.
WITHOUT_TENSORFLOW = (
    "apps/*/cli.py",
    "apps/*/requests.py",
    "rnnapps/cli/*.py",
    "rnnapps/datasets/sources.py",
    "rnnapps/errors.py",
    "rnnapps/extras.py",
    "rnnapps/options.py",
    "rnnapps/terminal.py",
)
HEAVY = {"tensorflow", "keras", "numpy", "tensorflow_datasets", "sklearn", "matplotlib", "soundfile", "grpc"}


def modules() -> dict[str, Path]:
    """Every module of the project by its full name."""
    found = {}
    for folder, package in ((ROOT / "rnnapps", "rnnapps"), (ROOT / "apps", "rnnapps.apps")):
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(name: str, *, top_only: bool = False) -> Iterator[str]:
    """The modules that a module imports, those inside functions and under TYPE_CHECKING too unless `top_only`."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    nodes: Iterable[ast.AST] = _at_import_time(tree.body) if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
                parents = package.split(".")
                source = ".".join([*parents[: len(parents) - node.level + 1], *source.split(".")]).rstrip(".")
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner in MODULES else source


def _at_import_time(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: not the bodies of functions, nor `if TYPE_CHECKING`."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _at_import_time(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from _at_import_time(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from _at_import_time(handler.body)


def package_of(module: str) -> str | None:
    """The package of a module of ours; None for the modules at the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in HEIGHT else None


def ours(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "rnnapps"}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1 or node in graph[node]:
                groups.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}) == [["a", "b", "c"], ["e"]]


def test_every_package_is_a_room_with_a_floor():
    packages = {path.parent.name for path in (ROOT / "rnnapps").glob("*/__init__.py")} | {"apps"}
    assert packages == set(HEIGHT)


def test_every_room_uses_only_the_floors_below():
    wrong = []
    for name in MODULES:
        own = package_of(name)
        for other in ours(imports(name)):
            used = package_of(other)
            if used in (None, own):
                continue
            if own is None:
                wrong.append(f"{name} is at the root and imports {other}")
            elif HEIGHT[used] > HEIGHT[own]:
                wrong.append(f"{name} imports {other}, a floor above")
            elif HEIGHT[used] == HEIGHT[own] and (own, used) not in NEIGHBOURS:
                wrong.append(f"{name} imports {other}, a neighbour")
    assert not wrong, "\n" + "\n".join(sorted(wrong))


def test_no_application_knows_another():
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        if name.startswith("rnnapps.apps.")
        for other in ours(imports(name))
        if other.startswith("rnnapps.apps.") and other.split(".")[2] != name.split(".")[2]
    ]
    assert not wrong


def test_no_circle_of_files():
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    graph = {name: {one for one in imports(name) if one in MODULES} for name in MODULES if name not in packages}
    # A package stands for the files whose names it exports.
    for name, used in graph.items():
        for package in used & packages:
            used |= {one for one in imports(package) if one in MODULES and one not in packages} - {name}
        graph[name] = {one for one in used if one not in packages}
    assert circles(graph) == []


def test_no_circle_of_rooms():
    graph: dict[str, set[str]] = {name: set() for name in HEIGHT}
    for name in MODULES:
        if own := package_of(name):
            graph[own] |= {used for other in ours(imports(name)) if (used := package_of(other)) not in (None, own)}
    assert circles(graph) == []


@pytest.mark.parametrize(
    "name",
    sorted(name for name, path in MODULES.items() if any(path in ROOT.glob(pattern) for pattern in WITHOUT_TENSORFLOW)),
)
def test_what_help_needs_loads_nothing_heavy(name):
    """Follows the imports of a module through all of ours, as Python does when it imports it."""
    # Requests are made when a command runs, where a client of a server must not wait for TensorFlow.
    heavy = {"tensorflow", "keras", "tensorflow_datasets"} if MODULES[name].name == "requests.py" else HEAVY
    seen, waiting = set(), [(name, name)]
    while waiting:
        module, way = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for other in imports(module, top_only=True):
            assert other.split(".")[0] not in heavy, f"{way} -> {other}"
            parents = [".".join(other.split(".")[:n]) for n in range(1, other.count(".") + 2)]
            waiting += [(one, f"{way} -> {one}") for one in parents if one in MODULES]
