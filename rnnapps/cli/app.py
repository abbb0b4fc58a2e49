"""A Click group whose failures are one line on stderr."""

import os
import sys
import traceback

import click

from rnnapps.errors import Stopped, UserError

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


class App(click.Group):
    """The command group of an app: a user's mistake becomes one line and exit code 2, a traceback only with --debug."""

    def __init__(self, *args, **kwargs):
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
        self.callback = _quiet_tensorflow

    def main(self, args: list[str] | None = None, **kwargs):
        debug = "--debug" in (sys.argv[1:] if args is None else args)
        try:
            sys.exit(super().main(args, **{**kwargs, "standalone_mode": False}) or 0)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context else ""
            _fail(" ".join(error.format_message().split()) + hint, debug, error.exit_code)
        except UserError as error:
            _fail(" ".join(str(error).split()), debug, 2)
        except Stopped as stop:
            _fail(str(stop), debug, INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", debug, INTERRUPTED)


def _fail(message: str, debug: bool, code: int) -> None:
    if debug:
        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


def _quiet_tensorflow(debug: bool) -> None:
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"rnnapps {version('rnnapps')}")
        context.exit()
