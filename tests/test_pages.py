"""The README and the other pages: Python blocks run as pasted, and commands name what exists."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/*.md", "apps/*/README.md")
    for path in sorted(ROOT.glob(pattern))
    if path.name != "add-an-application.md"  # tests/apps/test_add_an_application.py runs that one
]
IDS = [str(path.relative_to(ROOT)) for path in PAGES]
OPTIONAL = {"ray", "torch"}  # blocks that import these run only where they are installed
OURS = re.compile(r"(rnn-[a-z]+|python[0-9.]*|make)\s")
# Files of a reader's own, and what commands write.
INVENTED = re.compile(r"runs/|exports/|build/")


def blocks(page: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of ours, in blocks and in inline code, without pipes, redirections and variables."""
    lines = [line for block in blocks(page, "", "sh", "bash") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S))
    for line in lines:
        if not OURS.match(re.sub(r"^([A-Z_]+=\S*\s+)+", "", line) + " "):
            continue
        words = shlex.split(line, comments=True)
        while "=" in words[0]:
            del words[0]
        for end in ("|", ">", "&&", "&", ";"):
            words = words[: words.index(end)] if end in words else words
        yield [word for word in words if word not in ("...", "…") and not word.startswith("$")]


CASES = [(page, command) for page in PAGES for command in commands(page)]


def check_ours(words: list[str]) -> None:
    """A console command: its verb, its options and their values are known."""
    name, *arguments = words
    main = importlib.import_module(f"rnnapps.apps.{name.removeprefix('rnn-')}.cli").main
    if not arguments or arguments == ["--help"]:
        return
    context = click.Context(main, info_name=name)
    _, verb, rest = main.resolve_command(context, arguments)
    inner = click.Context(verb, info_name=f"{name} {arguments[0]}", parent=context)
    values, left, _ = verb.make_parser(inner).parse_args(args=list(rest))
    assert not left, f"more arguments than {name} {arguments[0]} takes: {left}"
    for parameter in verb.get_params(inner):
        value = values.get(parameter.name)
        if isinstance(parameter, click.Option) and isinstance(value, (str, tuple, list)) and "RUN" not in str(value):
            parameter.type_cast_value(inner, value)


def check_script(words: list[str]) -> None:
    """`python FILE`: the file exists, and so do its options."""
    script = ROOT / words[0]
    assert script.is_file(), f"no file {words[0]}"
    source = script.read_text(encoding="utf-8")
    for word in words[1:]:
        if word.startswith("--") and "parse_known_args" not in source:
            assert f'"{word.partition("=")[0]}"' in source, f"{words[0]} has no option {word}"


def check_module(words: list[str]) -> None:
    """`python -m MODULE`: the module exists and can be run."""
    specification = importlib.util.find_spec(words[0])
    assert specification, f"no module {words[0]}"
    if specification.submodule_search_locations:
        assert importlib.util.find_spec(f"{words[0]}.__main__"), f"{words[0]} cannot be run"


def check_targets(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name = re.escape(word.partition("=")[0])
        assert re.search(rf"^{name} *(\?=|:)", makefile, re.MULTILINE), f"the Makefile has no {word}"


@pytest.mark.parametrize(("page", "words"), CASES, ids=[" ".join(words)[:60] for _, words in CASES])
def test_a_command_names_what_exists(page: Path, words: list[str]) -> None:
    program, *rest = words
    if program.startswith("rnn-"):
        check_ours(words)
    elif program == "make":
        check_targets(rest)
    elif rest and rest[0] == "-m":
        check_module(rest[1:])
    elif rest and rest[0].endswith(".py"):
        check_script(rest)
    for word in rest:
        path = word.partition("=")[2] or word
        if re.match(r"(apps|benchmarks|docs|rnnapps|tests)/\S*\.\w+$", path) and not INVENTED.match(path):
            assert (ROOT / path.partition("::")[0]).exists(), f"no file {path}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
@pytest.mark.slow
def test_python_blocks_run_as_pasted(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        code = compile(block, str(page), "exec")
        modules = set(re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE))
        if any(importlib.util.find_spec(module) is None for module in modules & OPTIONAL):
            continue
        exec(code, names)


def test_links_inside_the_project_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_files_that_pages_name_exist() -> None:
    missing = []
    named = re.compile(r"`((?:rnnapps|apps|tests|docs|benchmarks)/[\w./-]+)`")
    for page in PAGES:
        for path in named.findall(page.read_text(encoding="utf-8")):
            if not re.search(r"foo|NAME", path) and not (ROOT / path).exists():
                missing.append(f"{page.relative_to(ROOT)}: {path}")
    assert not missing


@pytest.mark.parametrize(
    "line",
    [
        "rnn-sentiment trian",
        "rnn-sentiment train --no-such-option 3",
        "rnn-sentiment train --units many",
        "rnn-sentiment train --cell tree",
        "rnn-nothing train",
        "python benchmarks/nothing.py",
        "python benchmarks/memory.py --no-such-option",
        "python -m rnnapps.nothing",
        "python -m rnnapps.layers",
        "make nothing",
        "rnn-sentiment train --config apps/sentiment/nothing.toml",
    ],
)
def test_mistakes_are_found(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError, ImportError)):
        test_a_command_names_what_exists(ROOT / "README.md", shlex.split(line))


def test_there_is_something_to_check() -> None:
    assert {"README.md", "docs/serving.md"} <= set(IDS)
    assert len(CASES) > 40
