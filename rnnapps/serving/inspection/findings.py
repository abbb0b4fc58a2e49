"""Everything that is asked of an export, in order."""

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import tensorflow as tf

from . import answers, graph
from .files import files
from .finding import Finding
from .served import Served

Result = TypeVar("Result")


class _Failed(Exception):
    """A part of an export that cannot be looked at; the argument is the finding that says why."""


def findings(export: str) -> Iterator[Finding]:
    """Everything that can be asked of an export. Whatever a damaged one raises becomes a finding."""
    try:
        meta = _looked_at("saved_model.pb", lambda: graph.serving_graph(export))
        yield from _looked_at("graph", lambda: list(graph.inspect(meta)))
        yield from _looked_at("accompanying files", lambda: list(files(export)))
        start = time.perf_counter()
        served = _looked_at("loads", lambda: Served(export))
        yield Finding("loads", True, f"graph, variables and tables, in {time.perf_counter() - start:.1f} s")
        _looked_at("tf.saved_model.load", lambda: tf.saved_model.load(export, tags=["serve"]))
        yield Finding("tf.saved_model.load", True, "")
        yield _looked_at("variables", lambda: _variables(served))
        yield from _asked(export, served)
    except _Failed as failed:
        yield failed.args[0]


def _looked_at(check: str, look: Callable[[], Result]) -> Result:
    try:
        return look()
    except Exception as error:  # no exception is known never to come from a damaged or hostile file
        raise _Failed(Finding(check, False, answers.brief(error))) from None


def _variables(served: Served) -> Finding:
    variables = served.variables()
    empty = [name for name, has_value in variables.items() if not has_value]
    return Finding(
        "variables", not empty, f"without a value: {', '.join(empty)}" if empty else f"{len(variables)} have values"
    )


def _asked(export: str, served: Served) -> Iterator[Finding]:
    recorded = _looked_at("recorded answers", lambda: answers.recordings(export, served))
    if not recorded and os.path.exists(os.path.join(export, answers.RECORDED)):
        yield Finding("recorded answers", False, f"{answers.RECORDED} holds none")
    for name in served.signatures:
        if name not in recorded:
            yield Finding(f"recorded answers {name}", None, "none recorded")
            continue
        for check, ask in (
            ("recorded answers", answers.recorded_answers),
            ("batch sizes", answers.batches),
            ("repeated calls", answers.repeats),
        ):
            yield _looked_at(f"{check} {name}", lambda ask=ask, name=name: ask(served, name, recorded[name]))
    yield _looked_at("warm-up", lambda: answers.warm_up(export, served))
