"""A bar that shows on a terminal how far the reading of much data is."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal while something is read, nothing elsewhere.

    Args:
        what: What is read.
        total: How much of it there is.

    Yields:
        A function to call with how much has been read since the last call.
    """
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    import rich.console
    import rich.progress

    with rich.progress.Progress(console=rich.console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
