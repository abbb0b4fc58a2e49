"""The site is built without a warning: links, anchors and every docstring of the Python API."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_site_is_built_and_asks_no_other_server(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    page = (tmp_path / "site" / "applications" / "sentiment.html").read_text()
    assert not re.findall(r"""<(?:link|script|img)[^>]+(?:href|src)=["']?https?://""", page)
    api = (tmp_path / "site" / "api" / "layers.html").read_text()
    assert all(f"rnnapps.layers.{name}" in api for name in ("LSTM", "Bidirectional", "AttentionCell"))
