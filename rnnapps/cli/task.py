"""What an application declares: a `Task`. It is data, not a base class; `command_group` makes commands of it.

The functions behind a task live in two modules, which commands import when they run:

`implementation` works with TensorFlow. S is a split (any object with `name` and `split`), M a Keras model.

| function | what it is |
| --- | --- |
| `Model` | the class of the model, or a tuple of classes, as for `isinstance` |
| `load(source, splits=None) -> dict[str, S]` | the requested splits ("train", "validation", "test", "all") |
| `summary(splits) -> Iterator[str]` | lines that say what was loaded |
| `make(config, train) -> M` | a built model for a new run or a resumed one; `config` is a `RunConfig` |
| `batches(model, split, config, seed=None) -> Batches` | training batches with a seed, validation batches without |
| `objective(model, validation, config) -> Objective` | what is minimised, and how the best epoch is chosen |
| `assess(model, split, batch_size, decoding, report) -> dict` | figures; pictures go into the folder `report` |
| `table(metrics) -> str` | the figures, formatted for reading |
| `about(model) -> dict` | what an export says about the model; passed to `answer` |
| `endpoints(model, decoding) -> dict[str, Endpoint]` | the signatures of an export, and of `predict` |
| `samples(model, split) -> dict[str, list[Request]]` | requests for the check and the warm-up; `split` may be None |

and, if the task has them, `start(model, config)` (weights that a new run starts from),
`layer_rates(model, config, steps) -> list[LayerRate]` (weights that learn more slowly or later; `steps` are those of
an epoch), `callbacks(model, config, run) -> list` (Keras callbacks of training; `run` is the `RunFolder`),
`finish(model, splits, config, report)` (pictures after training), `stream(model, row, decoding) -> Iterator[str]` (the
answer of `predict` in a terminal, piece by piece as it is found), `draw(model, answered, decoding)` (a picture after
`predict`) and `quantize(model, file, split) -> (accuracy before, after, examples)` (`export --quantize`).

`requests` imports no TensorFlow, so a client of a server does not either:

| function | what it is |
| --- | --- |
| `request(row, decoding) -> dict` | the inputs of a signature for one row, a dictionary of the task's `columns` |
| `answer(outputs, about, decoding) -> dict` | what the signature says about one row, as JSON values |
| `lines(number, row, answer, decoding) -> Iterable[Sequence[str]]` | lines that `predict` prints, as columns |

and, if the task has them, `check(decoding, asked, input)`, which refuses options of `predict` that do not go together
(`asked` is "run", "export" or "server", and `input` the file of `--input` or None), and `check_config(config)`, which
does so for `train`. If an argument of `predict` is not a single text or file but may contain many inputs,
`rows(arguments, config, about) -> Iterator[Row]` reads them; `config` is that of a run, None for an export or a server,
and `about` what an export says about itself. `open_series(path, columns, config, about, quoting) -> SeriesRows | None`
opens a file of `--input` in which an input has several rows. `shown(row) -> dict` is the part of a row that `predict
--json` repeats, if not all of it, `pieces(row, answer, decoding)` the rows and answers that it prints instead of an
answer, each with a number of its own, and `placed(row, answer) -> dict` the answer, if it also depends on the row. If a
request depends on the model, for example on the size of the pictures that it takes, `informed(row, about) -> dict` adds
to a row what `request` needs to know; `about` is empty for a server.

`page`, if a task names such a module, declares the page of `try`: `page(questions) -> Page`, from a
`rnnapps.cli.questions.Questions` to a `rnnapps.pages.Page`. It does not use Gradio.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, NamedTuple

from rnnapps.cli.training_options import TrainingOptions


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """The options of a task that has none of some kind."""


@dataclasses.dataclass(frozen=True)
class Task:
    """An application.

    Attributes:
        name: Its name: "speech" is `rnn-speech`, `runs/speech`, and the name of its model on a server.
        summary: One line for `--help`.
        source: Dataclass of options: where the data are.
        model: Dataclass of options: keyword arguments of the model.
        training: How to train, with the task's defaults; a subclass of `TrainingOptions` adds options of the task.
        implementation: The module of the functions that need TensorFlow.
        requests: The module of the functions that do not.
        page: The module that declares the page of `try`; empty for a plain page, with a field for each column.
        columns: The columns of a table that are inputs.
        optional_columns: Columns that are inputs if a table has them.
        suffixes: If inputs are files: the suffixes of those to take from a folder.
        argument: The name of an argument of `predict` in help; empty for FILE if there are suffixes, else TEXT.
        outputs: The answers that a table gets a column for.
        delimiter: The separator of the columns that `predict` prints on the screen; a comma makes CSV.
        decoding: Dataclass of options that say how answers are found and shown: of `evaluate`, `predict` and `export`.
            An export fixes them, except those declared `free` or `shown`.
        evaluation: Dataclass of options of `evaluate`; by default those of `decoding`.
        signature: The signature that `predict` queries.
        batch_size: How many inputs `evaluate` and `predict` answer at once.
        batch_sizes: The sizes of batches that a server is prepared for.
        resources: What an export needs besides the model: names of its attributes, such as tokenizers.
        litert_input: What a LiteRT file of the model takes, for `export --quantize`; empty if there is none.
    """

    name: str
    summary: str
    source: type
    model: type
    training: TrainingOptions
    implementation: str
    requests: str
    page: str = ""
    columns: tuple[str, ...] = ("text",)
    optional_columns: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    argument: str = ""
    outputs: tuple[str, ...] = ("label", "score")
    delimiter: str = "\t"
    decoding: type = NoOptions
    evaluation: type = NoOptions
    signature: str = "serving_default"
    batch_size: int = 64
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    resources: tuple[str, ...] = ()
    litert_input: str = ""

    def __post_init__(self) -> None:
        if self.evaluation is NoOptions:
            object.__setattr__(self, "evaluation", self.decoding)

    def code(self) -> ModuleType:
        """The module of the functions that need TensorFlow."""
        return import_module(self.implementation)

    def asking(self) -> ModuleType:
        """The module of the functions that need no TensorFlow."""
        return import_module(self.requests)


class Objective(NamedTuple):
    """What training minimises, and which epoch is the best.

    Attributes:
        loss: As for `keras.Model.compile`; None if the model's `train_step` has its own.
        metrics: As for `keras.Model.compile`.
        monitor: The value that decides; see `rnnapps.training.fit`.
        mode: Whether the smallest or the largest value is best.
        figures: More values to compute after each epoch: functions by name.
        jit_compile: As for `keras.Model.compile`.
    """

    loss: Any = None
    metrics: Sequence[Any] = ()
    monitor: str = "val_loss"
    mode: Literal["min", "max"] = "min"
    figures: Mapping[str, Callable[[], float]] | None = None
    jit_compile: bool | str = "auto"
