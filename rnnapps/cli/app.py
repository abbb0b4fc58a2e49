"""A Click group whose failures are one line on stderr."""

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from rnnapps.cli.output import one_line
from rnnapps.errors import Stopped, UserError
from rnnapps.files import named_path
from rnnapps.terminal import printable

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


class Command(click.Command):
    """A command that uses TensorFlow, and hides what TensorFlow prints while it loads.

    Args:
        check: Checks the values of the options before TensorFlow is loaded, and refuses wrong ones.
    """

    def __init__(self, *args: Any, check: Callable[..., Any] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check = check

    def invoke(self, context: click.Context) -> Any:
        if self.check is not None:
            self.check(**context.params)
        if context.find_root().params["debug"] or context.params.get("server"):  # a server's client needs no TensorFlow
            return super().invoke(context)
        # TensorFlow's C++ code writes to the file descriptor before any setting of ours takes effect.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            import absl.logging
            import tensorflow as tf

            absl.logging.set_verbosity(absl.logging.ERROR)
            tf.get_logger().setLevel("ERROR")
            tf.config.list_physical_devices()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)
        return super().invoke(context)


class App(click.Group):
    """The command group of an app: a user's mistake becomes one line and exit code 2, a traceback only with --debug."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."))
        self.params.append(
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_version,
                help="Show the version.",
            )
        )
        self.callback = lambda debug: None  # the decorated function only provides the docstring

    def main(self, args: Sequence[str] | None = None, *more: Any, **kwargs: Any) -> NoReturn:
        # Keras warns about attention over a single step, which happens for a text of one word or a clip of one frame.
        warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)
        debug = "--debug" in (sys.argv[1:] if args is None else args)
        if not debug:
            warnings.showwarning = _warn
        _open_closed_streams()
        try:
            code = super().main(args, *more, **{**kwargs, "standalone_mode": False}) or 0
            sys.stdout.flush()
            sys.exit(code)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context else ""
            if isinstance(error, click.NoSuchOption) and error.option_name[1:2] in "0123456789.":
                hint = "; put -- before arguments that begin with a minus sign"
            _fail(one_line(error.format_message()) + hint, debug, error.exit_code)
        except UserError as error:
            _fail(" ".join(str(error).split()), debug, 2)
        except Stopped as stop:
            click.echo(stop, err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _discard_output()
            sys.exit(0)
        except OSError as error:
            path = named_path(error)
            if path is None:
                if not _of_standard_output(error):
                    raise
                _discard_output()
                _fail(f"standard output: {error.strerror}", debug, 2)
            _fail(f"{path}: {error.strerror}", debug, 2)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", debug, INTERRUPTED)


def _open_closed_streams() -> None:
    """A standard stream that was closed before the start (`>&-`) is replaced by an empty one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open as long as the process)


def _of_standard_output(error: OSError) -> bool:
    """Whether an error, which names no file, comes from `click.echo` or from the flush in `App.main`."""
    return traceback.extract_tb(error.__traceback__)[-1].name in ("echo", "main")


def _discard_output() -> None:
    """What is still to be written to standard output goes nowhere, so that Python does not fail again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """What `warnings` calls: one line, without the line of code that warned."""
    with contextlib.suppress(OSError):  # nobody reads it: no reason to stop
        click.echo(printable("warning: " + " ".join(str(message).split())), err=True)


def _fail(message: str, debug: bool, code: int) -> NoReturn:
    if debug:
        traceback.print_exc()
    click.echo(printable(f"error: {message}"), err=True)
    sys.exit(code)


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"rnnapps {version('rnnapps')}")
        context.exit()
