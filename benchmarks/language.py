"""Language models: training compared with a PyTorch twin, and the speed of an export at writing and completing text.

    python benchmarks/language.py train --dataset input.txt --config apps/language/shakespeare.toml
    python benchmarks/language.py serve

`train` runs `rnn-language train` with the options of a TOML file, and then the same network in PyTorch on the
same batches for the same number of steps, with the same optimiser and schedule; each in its own process. `serve`
exports an untrained model with `--units` and `--layers` and times it on one core. Its peers in writing are Keras's
layers with the same weights: once called on the whole text for each character, and once step by step with kept states.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measuring import cores, in_a_process, print_header, print_row, run_command, write_figures

LETTERS = [chr(number) for number in range(32, 97)]


def ours(options: list[str]) -> dict[str, float]:
    import rnnapps.training
    from rnnapps.apps.language import cli, task  # noqa: F401 - imported here so that they are not timed

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run_command(cli.main, "train", "--run-dir", f"{folder}/run", *options)
        seconds = time.perf_counter() - started
        run = rnnapps.training.open_run(Path(folder, "run"))
        metrics = run.read_metrics()
        config = json.loads(run.config_file.read_text())
    history = metrics["validation"]["loss"]
    figures = {"seconds": seconds, "training": metrics["seconds"], "steps": metrics["steps"], "loss": history}
    return {**figures, "evaluated": metrics["test"]["nats_per_character"], "config": config}


def in_torch(config: dict) -> dict[str, float]:
    """The same network and batches; the loss is the one on the validation batches after the last step."""
    import numpy as np
    import torch

    from rnnapps.apps.language.cli import Options, Source, Training
    from rnnapps.apps.language.streams import Streams
    from rnnapps.apps.language.token_file import tokenized
    from rnnapps.apps.language.tokens import Tokens, learn
    from rnnapps.datasets import load_splits
    from rnnapps.options import from_json
    from rnnapps.training.schedule import learning_rate_schedule

    kinds = {"source": Source, "model": Options, "training": Training}
    source, model, how = (from_json(kind, config[name], name) for name, kind in kinds.items())
    torch.manual_seed(0)
    splits = load_splits(source)
    vocabulary = learn(model.level, splits["train"], how.vocabulary, model.normalised)
    tokens = Tokens(model.level, vocabulary, model.normalised)
    train = Streams(tokenized(tokens, splits["train"]).ids, how.batch_size, how.sequence_length, seed=source.seed)
    ids = tokenized(tokens, splits["validation"]).ids
    held_out = Streams.held_out(ids, how.batch_size, how.sequence_length)
    embedding = torch.nn.Embedding(tokens.size, model.embedding_units)
    lstm = torch.nn.LSTM(model.embedding_units, model.units, model.layers, batch_first=True, dropout=model.dropout)
    head = torch.nn.Linear(model.units, tokens.size)
    with torch.no_grad():  # Keras's initial values
        for name, weight in lstm.named_parameters():
            if "weight_hh" in name:
                torch.nn.init.orthogonal_(weight)
            elif "weight_ih" in name:
                torch.nn.init.xavier_uniform_(weight)
            else:
                weight.zero_()
                if "bias_ih" in name:
                    weight[model.units : 2 * model.units] = 1.0
        torch.nn.init.xavier_uniform_(head.weight)
        head.bias.zero_()
    drop = torch.nn.Dropout(model.dropout)
    weights = [*embedding.parameters(), *lstm.parameters(), *head.parameters()]
    adam = torch.optim.Adam(weights, lr=1.0, eps=1e-7)
    total = how.epochs * train.steps
    schedule = learning_rate_schedule(
        how.schedule, how.initial_learning_rate, total_steps=total, warmup_steps=total // 20
    )

    def locked(sequence: torch.Tensor) -> torch.Tensor:
        """Dropout with the same mask at all steps, as in the model."""
        return sequence * drop(torch.ones(len(sequence), 1, sequence.shape[-1]))

    def loss_of(batch: tuple, states: tuple | None) -> tuple:
        (inputs, _), targets = batch
        inputs, targets = (torch.from_numpy(np.asarray(x)).long() for x in (inputs, targets))
        outputs, states = lstm(locked(embedding(inputs)), states)
        logits = head(locked(outputs))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
        return loss, tuple(state.detach() for state in states), int((targets != 0).sum())

    modules = (embedding, lstm, head, drop)
    started, step = time.perf_counter(), 0
    for epoch in range(how.epochs):
        states = None
        for module in modules:
            module.train()
        for batch in train.epoch(epoch).as_numpy_iterator():
            for group in adam.param_groups:
                group["lr"] = float(schedule(step))
            loss, states, _ = loss_of(batch, states)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, how.clip_norm)
            adam.step()
            step += 1
        print(f"torch: epoch {epoch + 1}, loss {float(loss):.4f}", file=sys.stderr)
    seconds = time.perf_counter() - started
    for module in modules:
        module.eval()
    states, sums, count = None, 0.0, 0
    with torch.inference_mode():
        for batch in held_out.epoch(0).as_numpy_iterator():
            loss, states, number = loss_of(batch, states)
            sums, count = sums + float(loss) * number, count + number
    return {"training": seconds, "steps": step, "loss": sums / count}


def train(options: argparse.Namespace) -> None:
    arguments = ["--dataset", options.dataset]
    arguments += ["--config", options.config] if options.config else []
    arguments += ["--epochs", str(options.epochs)] if options.epochs else []
    own = in_a_process(__file__, "contender", "ours", json.dumps(arguments))
    contenders = {"rnn-language train": own}
    if not options.no_torch:
        twin = in_a_process(__file__, "contender", "torch", json.dumps(own["config"]))
        contenders["PyTorch, the same steps"] = twin
    print(f"{options.dataset}; {cores()} cores; evaluated: {own['evaluated']:.4f} nats per character")
    print_header(["", "steps", "seconds", "of ours", "validation loss"])
    for name, figures in contenders.items():
        ratio = figures["training"] / own["training"]
        print_row([name, figures["steps"], f"{figures['training']:.0f}", f"{ratio:.2f}", f"{figures['loss']:.4f}"])
    write_figures(options.json, {"cores": cores(), "contenders": contenders})


def serve(options: argparse.Namespace) -> None:
    figures = in_a_process(__file__, "contender", "serve", json.dumps(vars(options)))
    print(f"{options.units} units, {options.layers} layers, characters; one core")
    print_header(["", "median", "of the export"])
    for name, value in figures["milliseconds"].items():
        print_row([name, f"{value:.2f} ms", ""])
    own = figures["characters a second"]["the export"]
    for name, value in figures["characters a second"].items():
        print_row([f"writing {options.characters} characters: {name}", f"{value:,.0f} per s", f"{value / own:.2f}"])
    write_figures(options.json, figures)


def on_one_core(options: dict) -> dict:
    import keras
    import tensorflow as tf

    from rnnapps import serving
    from rnnapps.apps.language.model import LanguageModel
    from rnnapps.apps.language.serving import endpoints, samples

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    count = options["characters"]
    shape = {"units": options["units"], "layers": options["layers"], "embedding_units": 64, "tied": False}
    model = LanguageModel(LETTERS, dropout=0.0, **shape)
    model.build()
    with tempfile.TemporaryDirectory() as folder:
        own, requests = endpoints(model), samples(model, None)
        saved = serving.save(Path(folder, "language"), [model, model.tokens], own, requests).folder
        ask = {name: serving.load(saved, name) for name in ("serving_default", "complete", "start", "step")}
        answer = ask["start"](text=tf.constant(["the actors ar"]))
        states = {name: answer[name] for name in model.state_names}
        prompt = {"prompt": tf.constant(["the "]), "length": tf.constant([count]), "seed": tf.constant([0])}
        timed = {
            "`step`, a key": lambda: ask["step"](text=tf.constant(["e"]), **states),
            "`complete`": lambda: ask["complete"](prefix=tf.constant(["the actors ar"])),
        }
        milliseconds = {name: 1000 * median(call, 100) for name, call in timed.items()}
        writers = {
            "the export": lambda: ask["serving_default"](**prompt, temperature=tf.constant([1.0])),
            "Keras's layers on the whole text": growing(model, count),
            "Keras's layers with kept states": stateful(model, count),
        }
        speeds = {}
        for name, write in writers.items():
            speeds[name] = count / median(write, options["rounds"])
    return {"milliseconds": milliseconds, "characters a second": speeds}


def median(call, rounds: int) -> float:
    call()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def twin_layers(model, **arguments):
    """Keras's layers with the model's weights."""
    import keras

    layers = [keras.layers.Embedding(model.tokens.size, 64)]
    layers += [
        keras.layers.LSTM(model.options.units, return_sequences=True, **arguments) for _ in range(model.options.layers)
    ]
    return [*layers, keras.layers.Dense(model.tokens.size)]


def set_weights(twin, model) -> None:
    values = [model.embedding.get_weights(), *(layer.get_weights() for layer in model.recurrent)]
    values.append([model.output_weights.numpy().T, model.output_bias.numpy()])
    for layer, weights in zip(twin.layers, values, strict=True):
        layer.set_weights(weights)


def growing(model, count: int):
    """Calls a model on the text so far, as common tutorials do, and samples a character from the last output."""
    import keras
    import tensorflow as tf

    twin = keras.Sequential([keras.Input((None,), dtype="int32"), *twin_layers(model)])
    set_weights(twin, model)

    step = tf.function(lambda text: tf.random.categorical(twin(text)[:, -1], 1), reduce_retracing=True)

    def write() -> None:
        text = [268, 265]
        for _ in range(count):
            text.append(int(step(tf.constant([text]))[0, 0]))

    return write


def stateful(model, count: int):
    """Calls a stateful model on one character after another."""
    import keras
    import tensorflow as tf

    layers = twin_layers(model, stateful=True)
    twin = keras.Sequential([keras.Input(batch_shape=(1, 1), dtype="int32"), *layers])
    set_weights(twin, model)
    step = tf.function(lambda token: tf.random.categorical(twin(token)[:, 0], 1, dtype=tf.int32))

    def write() -> None:
        token = tf.constant([[268]])
        for _ in range(count):
            token = step(token)

    return write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    learn = commands.add_parser("train")
    learn.add_argument("--dataset", required=True, help="text file")
    learn.add_argument("--no-torch", action="store_true", help="leave out PyTorch")
    learn.add_argument("--config", help="TOML file with options for rnn-language train (default: its defaults)")
    learn.add_argument("--epochs", type=int, help="epochs of both, overriding --config")
    ask = commands.add_parser("serve")
    ask.add_argument("--units", type=int, default=512)
    ask.add_argument("--layers", type=int, default=2)
    ask.add_argument("--characters", type=int, default=200)
    ask.add_argument("--rounds", type=int, default=3)
    for command in (learn, ask):
        command.add_argument("--json", metavar="FILE", help="write all figures")
    contender = commands.add_parser("contender")
    contender.add_argument("name", choices=["ours", "torch", "serve"])
    contender.add_argument("value")
    options = parser.parse_args()
    if options.command == "contender":
        run = {"ours": ours, "torch": in_torch, "serve": on_one_core}[options.name]
        print(json.dumps(run(json.loads(options.value))))
        return
    {"train": train, "serve": serve}[options.command](options)


if __name__ == "__main__":
    main()
