"""`try`: a page in the browser for trying a run, an export or a server."""

from __future__ import annotations

import contextlib
import signal
import threading
import webbrowser
from importlib import import_module
from typing import Any

import click

from rnnapps.cli.app import Command
from rnnapps.cli.asking import decoding_of, server_options, who_is_asked
from rnnapps.cli.options import PORT, click_options
from rnnapps.cli.output import say
from rnnapps.cli.plain_page import plain_page
from rnnapps.cli.questions import Questions
from rnnapps.cli.task import Task


def try_command(task: Task) -> click.Command:
    """The command `try` of a task."""

    def try_(
        run: tuple[str, ...],
        server: str | None,
        model: str,
        model_version: int | None,
        timeout: float,
        host: str,
        port: int | None,
        share: bool,
        browser: bool,
        **values: Any,
    ) -> None:
        asked = who_is_asked(run, server, model, model_version, timeout)
        questions = Questions(task, asked, decoding_of(task, asked, values))
        page = import_module(task.page).page(questions) if task.page else plain_page(task, questions)
        try:
            show(page, host, port, share, browser)
        finally:
            if asked.client is not None:
                asked.client.close()

    return Command(
        "try",
        callback=try_,
        params=[
            click.Argument(["run"], nargs=-1, metavar="[RUN]"),
            *server_options(task),
            *click_options(task.decoding, without=("shown",)),
            click.Option(["--host"], default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.Option(["--port"], type=PORT, help="Port to listen on.  [default: the first free one from 7860]"),
            click.Option(["--share"], is_flag=True, help="Also open a public address through Gradio's server."),
            click.Option(["--browser"], is_flag=True, help="Open the page in the browser."),
        ],
        help=(
            "Serve a page for trying the model in a browser, until Ctrl-C. RUN is a run folder or an export; --server"
            " takes its place."
        ),
    )


def show(page: Any, host: str, port: int | None, share: bool, browser: bool) -> None:
    """Serves a page until Ctrl-C or SIGTERM, and says where it is."""
    from rnnapps.pages.server import running

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    with running(page, host, port, share) as address:
        say(f"try the model at {address} (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
