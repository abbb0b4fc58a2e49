"""The native engine is built once for these tests; where it cannot be, they are skipped and say why."""

from __future__ import annotations

import pytest

from rnnapps.native import build


@pytest.fixture(scope="session")
def engine():
    """The module `rnnapps.recurrences.native`, ready to run."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler on PATH: the native engine cannot be built")
    build.build(announce=lambda line: None)  # a failure here is a failure of the tests
    from rnnapps.recurrences import native

    return native
