"""The native engine on this machine: shows which engine is in use and why, builds it, deletes its builds."""

from __future__ import annotations

import argparse
import sys

from rnnapps import native
from rnnapps.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Runs one of the commands info, build and clear.

    Args:
        arguments: Command-line arguments; those of the process if None.

    Returns:
        The exit code: 0, or 2 after an error, which is one line on stderr.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rnnapps.native",
        description=__doc__,
        epilog="Builds are kept in $RNNAPPS_CACHE, else $XDG_CACHE_HOME/rnnapps, else ~/.cache/rnnapps. "
        "RNNAPPS_ENGINE=graph turns the native engine off; RNNAPPS_ENGINE=native makes it an error if it cannot run.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("info", help="show which engine is in use and why (the default)")
    again = commands.add_parser("build", help="build the engine now")
    again.add_argument("--again", action="store_true", help="build even if a build exists or failed before")
    commands.add_parser("clear", help="delete all builds in the cache folder")
    command = parser.parse_args(arguments)

    from rnnapps.native import build  # TensorFlow takes seconds; --help should not

    try:
        if command.command == "clear":
            print(f"builds deleted: {build.clear()}")
        elif command.command == "build":
            print(build.build(again=command.again))
        else:
            print(_info())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _info() -> str:
    from rnnapps.native import build, cache, compiler

    try:
        folder = str(cache.cache_folder())
    except cache.UnusableCache as error:
        folder = f"none: {error}"
    if native.wanted() == "graph":
        state = "graph: set by RNNAPPS_ENGINE"
    elif build.built():
        # Loading is the only proof; a library with the right checksum can be loaded without risk.
        state = f"native: {build.built()}" if native.library() else f"graph: {native.missing()}"
    else:
        state = build.state()
    return "\n".join(
        (
            f"RNNAPPS_ENGINE  {native.wanted()}",
            f"compiler        {compiler.compiler() or 'none on PATH'}",
            f"cache folder    {folder}",
            f"engine          {state}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
