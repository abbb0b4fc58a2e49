"""The page that adds an application, run word for word."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.contract import invoke
from tests.serving.model_server import serve

PAGE = Path(__file__).parents[2] / "docs" / "add-an-application.md"


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """A folder with the application in it, and what the commands of the page print.

    The commands of the application run in this process, for speed; the other tests run its module in real ones.
    """
    text = PAGE.read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("application")
    files = re.findall(r"^`(languages/\w+\.py)`:\n\n```python\n(.*?)^```", text, re.M | re.S)
    assert [name for name, _ in files] == ["languages/cli.py", "languages/requests.py", "languages/task.py"]
    assert sum(code.count("\n") for _, code in files) <= 250
    (folder / "languages").mkdir()
    for name, code in files:
        (folder / name).write_text(code, encoding="utf-8")
    (block,) = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    data, own, commands = block.partition("python -m languages.cli ")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", data], cwd=folder, env=environment, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        main = importlib.import_module("languages.cli").main
        lines = (own + commands).splitlines()
        assert len(lines) == 5 and all(line.startswith(own) for line in lines)
        printed = [invoke(main, *shlex.split(line.removeprefix(own))).stdout for line in lines]
    return folder, "".join(printed)


def test_the_commands_train_evaluate_predict_and_export(application):
    _, output = application
    (figures,) = re.findall(r'^{"accuracy".*}$', output, re.M)
    assert json.loads(figures)["accuracy"] > 0.95
    assert re.search(r"^italian\t[\d.]+\tristoretto$", output, re.M)
    assert re.search(r"^finnish\t[\d.]+\työkkä$", output, re.M)
    assert "in a process without keras and rnnapps" in output


ASK_THE_PAGE = """
from languages.cli import main
from rnnapps.cli import try_page
try_page.show = lambda page, *where: print(page.parts[0].answer(text="ristoretto")["lines"])
main()
"""


def test_its_page_has_a_field_for_the_column_and_the_lines_of_predict(application):
    folder, _ = application
    command = [sys.executable, "-c", ASK_THE_PAGE, "try", "runs/languages"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("[['italian', "), done.stderr


def test_a_server_of_the_export_answers(application):
    folder, _ = application
    with serve({"languages": folder / "exports" / "languages"}) as addresses:
        for url in addresses:
            command = [sys.executable, "-m", "languages.cli", "predict", "--server", url, "ristoretto"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.stdout.startswith("italian\t"), done.stderr
