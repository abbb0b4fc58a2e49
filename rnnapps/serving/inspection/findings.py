"""Everything that is asked of an export, in order."""

import os
import time
from collections.abc import Iterator

import tensorflow as tf

from . import answers, graph
from .files import files
from .finding import Finding
from .served import Served


def findings(export: str) -> Iterator[Finding]:
    """Everything that can be asked of an export, as long as it loads."""
    try:
        meta = graph.serving_graph(export)
    except (OSError, ValueError) as error:
        yield Finding("saved_model.pb", False, str(error))
        return
    yield from graph.inspect(meta)
    yield from files(export)
    try:
        start = time.perf_counter()
        served = Served(export)
        yield Finding("loads", True, f"graph, variables and tables, in {time.perf_counter() - start:.1f} s")
        tf.saved_model.load(export, tags=["serve"])
        yield Finding("tf.saved_model.load", True, "")
    except Exception as error:  # whatever keeps it from loading is a finding
        yield Finding("loads", False, answers.brief(error))
        return
    empty = [name for name, has_value in served.variables().items() if not has_value]
    described = f"without a value: {', '.join(empty)}" if empty else f"{len(served.variables())} have values"
    yield Finding("variables", not empty, described)
    try:
        recorded = answers.recordings(export, served)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("recorded answers", False, f"{answers.RECORDED}: {type(error).__name__}: {error}")
        return
    if not recorded and os.path.exists(os.path.join(export, answers.RECORDED)):
        yield Finding("recorded answers", False, f"{answers.RECORDED} holds none")
    for name in served.signatures:
        if name not in recorded:
            yield Finding(f"recorded answers {name}", None, "none recorded")
            continue
        yield answers.recorded_answers(served, name, recorded[name])
        yield answers.batches(served, name, recorded[name])
        yield answers.repeats(served, name, recorded[name])
    yield answers.warm_up(export, served)
