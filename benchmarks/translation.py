"""Translation: `rnn-translation` and the same encoder-decoder in PyTorch, one after the other, for as many epochs.

    python benchmarks/translation.py FOLDER --config apps/translation/captions.toml --epochs 15

FOLDER contains `train`, `val` and `test_2016_flickr` in parallel lines, `.de` and `.en` (Multi30K). The twin has the
same layers, widths, subwords, batches, dropout between layers, label smoothing, learning rates and clipping; PyTorch's
GRU has no recurrent dropout, and only ours averages weights. The twin's weights are then put into a model of ours, to
check that both compute the same and to translate with the same beam search. For ours, the seconds of an epoch include
validation.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from measuring import cores, print_header, print_row, run_command


def train_ours(folder: str, arguments) -> tuple[list[float], "training.RunFolder"]:  # noqa: F821
    """Trains with the function of the command line. Returns the seconds of each epoch, and the run."""
    from rnnapps import training
    from rnnapps.apps.translation import cli

    files = [f"--{option}={arguments.folder / part}" for option, part in arguments.parts.items()]
    options = [*files, f"--config={arguments.config}", f"--epochs={arguments.epochs}", f"--run-dir={folder}"]
    run_command(cli.main, "train", *options)
    run = training.open_run(folder)
    with open(run.history_file) as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)], run


def train_twin(model, batches, config) -> tuple[list[float], "torch.nn.Module"]:  # noqa: F821
    """Trains the twin of `model` on `batches`. Returns the seconds of each epoch, and the twin."""
    import torch

    torch.manual_seed(config.source.seed)
    torch.set_num_threads(cores())
    twin = make_twin(model)
    optimizer = torch.optim.Adam(twin.parameters(), config.training.learning_rate, eps=1e-7)
    total = config.training.epochs * batches.steps
    warmup = total // 20

    def rate(step: int) -> float:
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + np.cos(np.pi * (step - warmup) / (total - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    loss = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=model.options.label_smoothing)
    seconds = []
    for epoch in range(config.training.epochs):
        twin.train()
        started = time.perf_counter()
        for (source, target_in), target_out in batches.epoch(epoch).as_numpy_iterator():
            source, target_in, target_out = (torch.tensor(ids).long() for ids in (source, target_in, target_out))
            optimizer.zero_grad()
            loss(twin(source, target_in).flatten(0, 1), target_out.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), config.training.clip_norm)
            optimizer.step()
            schedule.step()
        seconds.append(time.perf_counter() - started)
        print(f"  epoch {epoch + 1}: {seconds[-1]:.0f} s")
    return seconds, twin.eval()


def make_twin(model):
    """The equations of `Translator` in PyTorch; GRU, multiplicative attention, joint vocabulary."""
    import torch
    from torch import nn

    options = model.options
    if (options.cell, options.attention) != (
        "gru",
        "multiplicative",
    ) or model.target_subwords is not model.source_subwords:
        raise SystemExit("the twin has GRUs, multiplicative attention and a joint vocabulary: set these in --config")
    units, embedding, layers = options.units, options.embedding_units, options.layers

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(model.source_subwords.size, embedding, padding_idx=0)
            nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
            self.dropout = nn.Dropout(options.dropout)
            self.encoder = nn.GRU(
                embedding, units, layers, batch_first=True, bidirectional=True, dropout=options.dropout
            )
            self.decoder = nn.ModuleList(
                nn.GRU(embedding if n == 0 else 4 * units if n == 1 else 2 * units, 2 * units, batch_first=True)
                for n in range(layers)
            )
            self.bridge = nn.Linear(2 * units, 2 * units * layers)
            self.key = nn.Linear(2 * units, 2 * units, bias=False)
            self.combine = nn.Linear(4 * units, embedding)

        def forward(self, source, target):
            lengths = (source != 0).sum(1)
            embedded = self.dropout(self.embedding(source) * embedding**0.5)
            packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
            memory, last = self.encoder(packed)
            memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=source.shape[1])
            start = torch.tanh(self.bridge(torch.cat([last[-2], last[-1]], -1))).chunk(layers, -1)
            steps = self.dropout(self.embedding(target) * embedding**0.5)
            for number, layer in enumerate(self.decoder):
                steps, _ = layer(steps, start[number][None].contiguous())
                if number == 0:
                    scores = steps @ self.key(memory).transpose(1, 2) / (2 * units) ** 0.5
                    weights = scores.masked_fill((source == 0)[:, None], -torch.inf).softmax(-1)
                    context = weights @ memory
                if number < layers - 1:
                    steps = self.dropout(torch.cat([steps, context], -1) if number == 0 else steps)
            seen = self.dropout(torch.cat([steps, context], -1))
            return self.dropout(torch.tanh(self.combine(seen))) @ self.embedding.weight.T

    return Twin()


def give_weights(twin, model) -> None:
    """Puts the twin's weights into `model`."""
    from rnnapps.layers import from_torch

    def dense(layer, linear):
        layer.set_weights([w.detach().numpy().T for w in (linear.weight, linear.bias) if w is not None])

    model.target_embedding.set_weights([twin.embedding.weight.detach().numpy()])
    model.encoder.set_weights(from_torch(twin.encoder).get_weights())
    for ours, theirs in zip(model.decoder, twin.decoder, strict=True):
        ours.set_weights(from_torch(theirs).get_weights())
    dense(model.bridge, twin.bridge)
    dense(model.combine, twin.combine)
    model.attention.set_weights([twin.key.weight.detach().numpy().T])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with train, val and test_2016_flickr")
    parser.add_argument("--from", dest="source", default="de", help="suffix of the source files")
    parser.add_argument("--to", dest="target", default="en", help="suffix of the target files")
    parser.add_argument("--config", required=True, help="TOML file with options for rnn-translation train")
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()
    arguments.parts = {
        "source": f"train.{arguments.source}",
        "target": f"train.{arguments.target}",
        "validation-source": f"val.{arguments.source}",
        "validation-target": f"val.{arguments.target}",
    }

    from rnnapps import training
    from rnnapps.apps.translation import task
    from rnnapps.apps.translation.cli import TASK, Search, Source
    from rnnapps.cli.run_config import read_config

    with tempfile.TemporaryDirectory() as folder:
        print("rnn-translation train ...")
        ours_seconds, run = train_ours(f"{folder}/run", arguments)
        model, config = training.load_model(run), read_config(run.path, TASK)
    train = task.load(config.source, ["train"])["train"]
    sides = [str(arguments.folder / f"test_2016_flickr.{side}") for side in (arguments.source, arguments.target)]
    test = task.load(Source(source=sides[0], target=sides[1]), ["all"])["all"]
    ours = task.assess(model, test, config.training.batch_size, Search())

    print("PyTorch ...")
    batches = task.batches(model, train, config, seed=config.source.seed)
    twin_seconds, twin = train_twin(model, batches, config)
    give_weights(twin, model)
    difference = largest_difference(twin, model, next(iter(batches.epoch(0))))
    theirs = task.assess(model, test, config.training.batch_size, Search())

    print(f"{len(train.sources):,} pairs, {arguments.epochs} epochs, {model.count_params():,} weights; {cores()} cores")
    print_header(["", "seconds per epoch", "BLEU", "loss"])
    for name, seconds, metrics in (("ours", ours_seconds, ours), ("PyTorch", twin_seconds, theirs)):
        print_row([name, f"{np.median(seconds):.0f}", f"{metrics['bleu']:.2f}", f"{metrics['loss']:.3f}"])
    print(f"PyTorch / ours: {np.median(twin_seconds) / np.median(ours_seconds):.2f} times the seconds")
    print(f"BLEU: {ours['bleu_signature']}; the twin's logits in our model differ by at most {difference:.1g}")


def largest_difference(twin, model, batch) -> float:
    import torch

    (source, target_in), _ = batch
    with torch.no_grad():
        expected = twin(*(torch.from_numpy(ids.numpy()).long() for ids in (source, target_in))).numpy()
    return float(np.abs(model((source, target_in)).numpy() - expected).max())


if __name__ == "__main__":
    main()
