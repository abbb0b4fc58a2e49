import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rnnapps.cli import App
from rnnapps.cli.config import config_option
from rnnapps.cli.inputs import input_files, input_texts
from rnnapps.cli.options import COUNT, SECONDS, Several
from rnnapps.cli.output import say
from rnnapps.errors import UserError
from rnnapps.files import replacing


@click.group(cls=App)
def app():
    """An app."""


@app.command()
@click.option("--units", type=click.IntRange(1), default=8)
@click.option("--max-length", type=int, default=5)
@click.option("--cell", type=click.Choice(["gru", "lstm"]), default="lstm")
@click.option("--text-column", default="text")
@click.option("--bidirectional/--no-bidirectional", default=True)
@click.option("--widths", type=Several(COUNT), default="")
def show(units, max_length, cell, text_column, bidirectional, widths):
    click.echo(f"{units} {max_length} {cell}")


app.commands["show"].params.append(config_option())


@app.command()
def fail():
    raise UserError("reviews.csv:3: no label;\n  add one")


@app.command()
@click.argument("path", type=click.Path(path_type=Path))
def draw(path):
    with replacing(path) as partial:
        partial.write_text("a picture")


@app.command()
def careless():
    warnings.warn("epoch-2 is damaged;\n  trying\x1b[2J the one before", stacklevel=1)


@app.command()
def hang():
    raise KeyboardInterrupt


@app.command()
@click.option("--timeout", type=SECONDS)
def wait(timeout):
    click.echo(timeout)


@app.command()
@click.argument("text", nargs=-1)
def echo(text):
    for line in input_texts(text):
        click.echo(repr(line))


def run(*arguments, **kwargs):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **kwargs)


def test_a_users_mistake_is_one_line_and_exit_code_2():
    result = run("fail")
    assert result.stderr == "error: reviews.csv:3: no label; add one\n"
    assert result.exit_code == 2


@pytest.mark.parametrize("name", ["file/picture.png", "folder", "nowhere/picture.png"])
def test_a_file_that_cannot_be_written_is_one_line_that_names_it(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(app, ["draw", str(tmp_path / name)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {tmp_path / name}: ") and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_debug_adds_the_traceback():
    assert "Traceback" in run("--debug", "fail").stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "--cell", "tree"], "'--cell': 'tree' is not one of 'gru', 'lstm'"),
        (["show", "--units", "0"], "'--units': 0 is not in the range"),
        (["show", "--unit", "3"], "--unit"),
        (["shwo"], "shwo"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(arguments, named):
    result = run(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stderr.count("\n") == 1
    assert "--help" in result.stderr


def test_ctrl_c_is_one_line_and_the_shells_exit_code():
    result = run("hang")
    assert (result.exit_code, result.stderr.strip()) == (130, "error: interrupted")


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('units = 16\nmax-length = 7\ncell = "gru"\n')
    assert run("show", "--config", file, "--units", "32").output == "32 7 gru\n"
    assert run("show", "--units", "32", "--config", file).output == "32 7 gru\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("unit = 3", "unknown option 'unit'"),
        ("units = = 3", "line 1"),
        ('cell = "tree"', "'tree' is not one of"),
        ("units = 'many'", "options.toml: units: 'many' is not a whole number"),
        ("config = 'a'", "unknown option 'config'"),
        ("text-column = ['a', 'b']", "options.toml: text-column: must be text, got ['a', 'b']"),
        ("bidirectional = 'no'", "options.toml: bidirectional: must be true or false, got 'no'"),
        ("widths = 16", "options.toml: widths: expected a list, got 16"),
        ("widths = [16, 0]", "options.toml: widths"),
        ("[model]\nunits = 3", "[model] is a table; put all options at the top, without tables"),
        ("units = 3 # caf\xe9", "options.toml: not a text file in UTF-8"),
    ],
)
def test_a_bad_configuration_names_the_file_and_what_is_wrong(tmp_path, content, complaint):
    file = tmp_path / "options.toml"
    file.write_text(content, encoding="latin-1")
    result = run("show", "--config", file)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_configuration_is_named():
    assert "--config nowhere.toml: no such file" in run("show", "--config", "nowhere.toml").stderr


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e30", "0", "-1", "soon"])
def test_a_time_that_is_not_valid_is_refused_in_one_line(seconds):
    result = run("wait", "--timeout", seconds)
    assert result.exit_code == 2
    assert "'--timeout'" in result.stderr and result.stderr.count("\n") == 1
    assert run("wait", "--timeout", "0.5").output == "0.5\n"


def test_texts_come_from_arguments_or_from_lines():
    assert run("echo", "a b", "c").output == "'a b'\n'c'\n"
    assert run("echo", input="one\n\nüber\r\nlast").output == "'one'\n''\n'über'\n'last'\n"


def test_the_name_of_a_file_is_a_text_with_a_warning(tmp_path):
    (tmp_path / "a.txt").write_text("")
    result = run("echo", tmp_path / "a.txt", "a.txt", "a" * 5000 + ".b", "nul\0.txt")
    assert result.stdout.count("\n") == 4
    assert result.stderr == f"warning: {tmp_path}/a.txt is read as a text; the file of this name is for --input\n"


def test_a_folder_without_files_of_the_kind_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no file in this folder ends in \.wav, \.flac"):
        list(input_files([str(tmp_path)], (".wav", ".flac")))


def test_texts_that_are_not_utf_8_are_read_all_the_same():
    assert run("echo", "caf\udce9").output == "'caf\ufffd'\n"
    result = run("echo", input=b"as it is: \xef\xbf\xbd\ncaf\xe9\n")
    assert result.stdout == "'as it is: \ufffd'\n'caf\ufffd'\n"
    assert result.stderr == "warning: line 2 of standard input is not UTF-8; \ufffd replaces invalid bytes\n"


def test_text_of_a_model_cannot_control_the_terminal(capsys):
    say("\x1b[31mred\x1b[0m\nsecond line\x07")
    output = capsys.readouterr().out
    assert "\x1b" not in output and "\x07" not in output
    assert output.count("\n") == 2 and "red" in output


def test_no_command_shows_the_help():
    result = run()
    assert result.exit_code == 2
    assert "show" in result.stderr + result.stdout


def test_importing_the_command_line_brings_no_tensorflow():
    import subprocess

    code = "import sys, rnnapps.cli, rnnapps.apps.sentiment.cli; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SCRIPT = "from tests.cli.test_app import app; app()"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["show"], ["--help"]])
def test_a_full_standard_output_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", SCRIPT, *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")


@pytest.mark.parametrize("stream", ["0<&-", "1>&-", "2>&-"])
def test_a_closed_stream_is_an_empty_one(stream):
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(SCRIPT)} echo a {stream}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "" if stream[0] == "1" else "'a'\n", "")


def test_a_warning_is_one_line_without_the_line_of_code():
    with warnings.catch_warnings():  # puts back what shows warnings
        result = CliRunner().invoke(app, ["careless"])
    assert result.exit_code == 0
    assert result.stderr == "warning: epoch-2 is damaged; trying the one before\n"
