"""`python -m rnnapps.native`: what the native engine is on this machine; builds and deletes it."""

from __future__ import annotations

import argparse
import sys

from rnnapps import native
from rnnapps.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Runs one of the commands info, build and clear; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rnnapps.native", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("info", help="say what is in use and why (the default)")
    again = commands.add_parser("build", help="build the engine now")
    again.add_argument("--again", action="store_true", help="also if it is built already or failed before")
    commands.add_parser("clear", help="delete all builds")
    command = parser.parse_args(arguments)

    from rnnapps.native import build  # TensorFlow takes seconds; --help should not

    try:
        if command.command == "clear":
            print(f"builds deleted in {build.cache_folder()}: {build.clear()}")
        elif command.command == "build":
            if command.again:
                build.clear()
            print(build.build())
        else:
            _info(build)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _info(build) -> None:
    print(f"RNNAPPS_ENGINE  {native.wanted()}")
    print(f"compiler        {build.compiler() or 'none on PATH'}")
    print(f"cache folder    {build.cache_folder()}")
    try:
        folder = build.folder()
    except build.BuildError as error:
        print(f"engine          graph: {error}")
        return
    if build.built():
        state = f"native: {build.built()}"
    elif (folder / build.LOG).exists():
        state = f"graph: the build failed, see {folder / build.LOG}"
    else:
        state = "native, not built yet: `python -m rnnapps.native build`, or first use"
    print(f"engine          {'graph: asked for' if native.wanted() == 'graph' else state}")


if __name__ == "__main__":
    sys.exit(main())
