"""Strings of spoken digits: how well `rnn-transcription` transcribes them, also for unseen speakers.

    python benchmarks/transcription.py PATH                # recordings 0 to 4 for test
    python benchmarks/transcription.py PATH --leave-out    # each speaker left out in turn
    python benchmarks/transcription.py PATH --torch        # and the same network in PyTorch, for the same epochs
    python benchmarks/transcription.py --stream RUN        # 40 ms chunks with a causal run, on one core

PATH is the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset), with a folder of
recordings for each digit: PATH/7/7_jackson_32.wav. Strings of three to seven digits are made by joining recordings of
one speaker, with pauses of 0.05 to 0.3 s between them. No recording occurs in strings of two splits.

With a speaker left out, few voices remain to learn from, so synthetic ones help in two ways. The model starts from one
of `spoken_phrases`, which is trained first and kept in the cache folder. Strings of digits in the same voices are added
to the training split; they are never used for validation or test. --alone leaves out both. Options that this script
does not know are passed to the training runs.
"""

import argparse
import csv
import json
import os
import pathlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from digit_recordings import number_of, speaker_of, tests
from measuring import cores, in_a_process, print_header, print_row, run_command, write_figures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STRINGS = {"train": 1200, "validation": 100, "test": 200}
SYNTHETIC = 1000  # strings in synthetic voices
# Chosen on pairs of speakers left out. People's tempos differ far more than those of synthetic voices.
START = ["--start-from", "spoken_phrases", "--learning-rate", "2e-3", "--tempo", "0.3"]
OPTIONS = ["--sample-rate", str(RATE), "--batch-size", "16", "--learning-rate", "3e-3", "--patience", "100"]
RECIPE = ["--epochs", "12"]
Row = tuple[str, str, str]  # path, text, split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=pathlib.Path, nargs="?", help="the recordings")
    parser.add_argument(
        "--leave-out", nargs="*", metavar="SPEAKERS", help="test on these, separated by commas; if none, each in turn"
    )
    parser.add_argument("--alone", action="store_true", help="with --leave-out: no synthetic voices")
    parser.add_argument("--torch", action="store_true", help="train the same network in PyTorch as well")
    parser.add_argument("--strings", type=int, help="strings to train on; a tenth of that for validation and for test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stream", type=pathlib.Path, metavar="RUN", help="measure a causal run in chunks of 40 ms")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options, others = parser.parse_known_args()
    if options.contender:
        name, *arguments = json.loads(options.contender)
        print(json.dumps({"ours": ours, "torch": in_torch, "stream": stream}[name](*arguments)))
        return
    if options.stream:
        found = contender("stream", str(options.stream))
        print(f"{found['chunks']} chunks of 40 ms on one core: p50 {found['p50']:.2f} ms, p99 {found['p99']:.2f} ms")
        print(f"real-time factor {found['real_time_factor']:.4f}, {found['processor_factor']:.4f} of processor time")
        print(f"text equal to that of the whole recording: {found['equal']}")
        return
    if options.path is None:
        parser.error("give the folder of the recordings, or --stream RUN")
    if options.torch and options.leave_out is not None and not options.alone:
        parser.error("--torch cannot start from another model: add --alone")
    recordings = sorted(options.path.resolve().rglob("*.wav"))
    if not recordings:
        sys.exit(f"{options.path}: no recordings such as 7/7_jackson_32.wav")
    figures = []
    print(f"{cores()} cores")
    print_header(["test on", "trained by", "WER", "CER", "epochs", "seconds", "processor seconds"])
    with tempfile.TemporaryDirectory() as folder:
        for name, test in tests(recordings, options.leave_out):
            sizes = STRINGS if options.strings is None else sized(options.strings)
            random = np.random.default_rng([options.seed, *name.encode()])
            made = pathlib.Path(folder, name.replace(" ", "-"))
            made.mkdir()
            rows = list(joined(recordings, test, sizes, made, random))
            started = options.leave_out is not None and not options.alone
            if started:
                count = SYNTHETIC if options.strings is None else options.strings
                rows += synthetic(count, made, random)
            write(made / "manifest.csv", rows)
            names = ["ours", *(["torch"] if options.torch else [])]
            for who in names:
                arguments = [*OPTIONS, *RECIPE, *(START if started else []), "--seed", str(options.seed), *others]
                found = contender(who, str(made / "manifest.csv"), str(made / "run"), arguments)
                figures.append({"test": name, "by": who, **found})
                trained_by = {"ours": "rnn-transcription", "torch": "PyTorch"}[who]
                seconds = [f"{found[key]:.0f}" for key in ("seconds", "processor")]
                print_row([name, trained_by, f"{found['wer']:.2%}", f"{found['cer']:.2%}", found["epochs"], *seconds])
    own = [one["wer"] for one in figures if one["by"] == "ours"]
    print(f"mean WER {statistics.mean(own):.2%}, highest {max(own):.2%}")
    write_figures(options.json, {"cores": cores(), "results": figures})


def contender(*arguments: Any) -> dict[str, Any]:
    """The figures of a training, or of a stream, from a separate process."""
    return in_a_process(__file__, "--contender", json.dumps(arguments))


def sized(train: int) -> dict[str, int]:
    """The number of strings of each split."""
    return {"train": train, "validation": max(1, train // 10), "test": max(1, train // 10)}


def joined(
    recordings: Sequence[pathlib.Path],
    test: set[pathlib.Path],
    sizes: dict[str, int],
    folder: pathlib.Path,
    random: np.random.Generator,
) -> Iterator[Row]:
    """Strings of real recordings, written to a folder; a tenth of what is not for test is for validation."""
    import soundfile

    parts: dict[str, list[pathlib.Path]] = {"train": [], "validation": [], "test": []}
    for file in recordings:
        parts["test" if file in test else "validation" if number_of(file) % 10 == 7 else "train"].append(file)
    sounds = {file: soundfile.read(file, dtype="float32")[0] for file in recordings}
    for split, files in parts.items():
        speakers = sorted({speaker_of(file) for file in files})
        for number in range(sizes[split]):
            speaker = speakers[number % len(speakers)]
            own = [file for file in files if speaker_of(file) == speaker]
            chosen = [own[place] for place in random.integers(len(own), size=random.integers(3, 8))]
            path = folder / f"{split}_{speaker}_{number}.wav"
            soundfile.write(path, _joined([sounds[file] for file in chosen], random), RATE)
            yield str(path), " ".join(WORDS[int(file.parent.name)] for file in chosen), split


def _joined(pieces: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Pieces with pauses between and around them."""
    found = []
    for piece in pieces:
        found += [np.zeros(int(random.uniform(0.05, 0.3) * RATE), np.float32), piece]
    return np.concatenate([*found, np.zeros(int(random.uniform(0.05, 0.3) * RATE), np.float32)])


def synthetic(count: int, folder: pathlib.Path, random: np.random.Generator) -> Iterator[Row]:
    """Strings of digits in the voices of eSpeak NG, joined like the real ones, for the training split."""
    import soundfile
    import soxr

    from rnnapps.datasets.embedded.voices import SAMPLE_RATE, VOICES, manner, recorded

    voices = [voice for split in VOICES.values() for voice in split]
    for number in range(count):
        how = manner(voices[number % len(voices)], random)
        digits = random.integers(10, size=random.integers(3, 8))
        pieces = [
            soxr.resample(_without_margins(recorded(WORDS[digit], how, random)), SAMPLE_RATE, RATE) for digit in digits
        ]
        path = folder / f"synthetic_{number}.wav"
        soundfile.write(path, _joined(pieces, random), RATE)
        yield str(path), " ".join(WORDS[digit] for digit in digits), "train"


def _without_margins(clip: np.ndarray) -> np.ndarray:
    """A clip at a fixed loudness, cut to its loud part."""
    samples = clip.astype(np.float32) / 2**15
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
    return 0.3 * samples[loud[0] : loud[-1] + 1] / np.abs(samples).max()


def write(manifest: pathlib.Path, rows: Iterable[Row]) -> None:
    """A manifest for `rnn-transcription train --dataset`."""
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "text", "split"), *rows])


def ours(manifest: str, run: str, options: list[str]) -> dict[str, Any]:
    """The figures of one run on its test split, and its seconds from start to end."""
    from rnnapps.apps.transcription.cli import main as transcription

    began = time.perf_counter()
    run_command(transcription, "train", "--overwrite", "--dataset", manifest, "--run-dir", run, *options)
    seconds, processor = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_utime
    metrics = json.loads(pathlib.Path(run, "metrics.json").read_text())["test"]
    epochs = len(pathlib.Path(run, "history.csv").read_text().splitlines()) - 1
    return {"wer": metrics["wer"], "cer": metrics["cer"], "epochs": epochs, "seconds": seconds, "processor": processor}


def in_torch(manifest: str, run: str, options: list[str]) -> dict[str, Any]:
    """The same network and losses with PyTorch's layers and `CTCLoss`, for the epochs of our run.

    The frames and their augmentation are ours, called eagerly; their time is included.
    """
    import jiwer
    import torch

    from rnnapps.apps.transcription.cli import TASK
    from rnnapps.apps.transcription.data import transcribed_batches
    from rnnapps.cli.run_config import read_config
    from rnnapps.datasets import load_splits
    from rnnapps.training import load_model, open_run
    from rnnapps.training.schedule import learning_rate_schedule

    config = read_config(pathlib.Path(run), TASK)
    ours, how, units = load_model(open_run(pathlib.Path(run))), config.training, config.model.units
    torch.manual_seed(0)
    splits = load_splits(config.source, ["train", "test"])
    train = transcribed_batches(splits["train"], how.batch_size, seed=config.source.seed)
    test = transcribed_batches(splits["test"], how.batch_size)
    front = ours.front_end
    channels = [1, *config.model.convolutions]
    convolutions = torch.nn.ModuleList(
        torch.nn.Conv2d(before, after, 5, stride=tuple(layer.strides), padding=(0, 2), bias=False)
        for before, after, layer in zip(channels[:-1], channels[1:], front.convolutions, strict=True)
    )
    bands, norms = config.model.bands, torch.nn.ModuleList()
    for channel in channels[1:]:
        bands = -(-bands // 2)
        norms.append(torch.nn.LayerNorm((channel, bands), eps=1e-3))
    recurrent = partial(getattr(torch.nn, config.model.cell.upper()), batch_first=True, bidirectional=True)
    first = recurrent(bands * channels[-1], units)
    letters = ours.characters.size + 1
    upper = recurrent((2 * units + letters) * ours.joined, units, config.model.layers - 1)
    head = torch.nn.Linear(2 * units, ours.tokens.size + 1)
    spelling_head = torch.nn.Linear(2 * units, letters)
    modules = torch.nn.ModuleList([convolutions, norms, first, upper, head, spelling_head])
    adam = torch.optim.Adam(modules.parameters(), lr=1.0, eps=1e-7)
    epochs = len(pathlib.Path(run, "history.csv").read_text().splitlines()) - 1
    total = epochs * train.steps
    schedule = learning_rate_schedule(
        how.schedule, how.initial_learning_rate, total_steps=total, warmup_steps=total // 20
    )

    def read(waveform: Any, lengths: Any, training: bool) -> tuple[Any, Any, Any]:
        waveform, lengths = front.augmentation(waveform, lengths, training=training)
        frames, mask = front.voices(*front.log_mel(waveform, lengths), training=training)
        steps = torch.from_numpy(mask.numpy().sum(1) // front.reduction)
        x = torch.from_numpy(front.masks(frames, training=training).numpy())[:, None]
        for convolution, norm, layer in zip(convolutions, norms, front.convolutions, strict=True):
            x = convolution(torch.nn.functional.pad(x, (0, 0, layer.past, 0)))
            x = torch.relu(norm(x.transpose(1, 2))).transpose(1, 2)  # each step over its channels and frequencies
        drop = partial(torch.nn.functional.dropout, p=config.model.dropout, training=training)
        x = drop(first(drop(x.permute(0, 2, 3, 1).flatten(2)))[0])
        spelt = spelling_head(x)
        x = torch.cat([x, spelt.softmax(-1)], -1)
        count = x.shape[1] // ours.joined
        x = upper(x[:, : count * ours.joined].reshape(len(x), count, -1))[0]
        return head(drop(x)), spelt, steps

    def loss_of(logits: Any, steps: Any, tokens: Any, texts: Any) -> Any:
        labels = [torch.tensor(one) for one in tokens.encode(texts).to_list()]
        sizes = torch.tensor([len(one) for one in labels])
        ctc = torch.nn.CTCLoss(blank=tokens.size, reduction="sum", zero_infinity=True)
        return ctc(logits.log_softmax(-1).transpose(0, 1), torch.cat(labels), steps, sizes) / sizes.sum()

    began, step = time.perf_counter(), 0
    for epoch in range(epochs):
        for (waveform, lengths), texts in train.epoch(epoch):
            for group in adam.param_groups:
                group["lr"] = float(schedule(step))
            logits, spelt, steps = read(waveform, lengths, True)
            loss = loss_of(logits, steps // ours.joined, ours.tokens, texts)
            adam.zero_grad()
            (loss + config.model.spelling * loss_of(spelt, steps, ours.characters, texts)).backward()
            torch.nn.utils.clip_grad_norm_(modules.parameters(), how.clip_norm)
            adam.step()
            step += 1
        print(f"torch: epoch {epoch + 1}, loss {float(loss.detach()):.4f}", file=sys.stderr)
    seconds, processor = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_utime
    said, heard = [], []
    with torch.inference_mode():
        for (waveform, lengths), texts in test.epoch(0):
            logits, _, steps = read(waveform, lengths, False)
            for path, count, text in zip(logits.argmax(-1), steps // ours.joined, texts.numpy(), strict=True):
                tokens = torch.unique_consecutive(path[: int(count)])
                letters = "".join(ours.tokens.pieces[token] for token in tokens if token < ours.tokens.size)
                heard.append(" ".join(letters.split()))
                said.append(text.decode())
    return {
        "wer": jiwer.wer(said, heard),
        "cer": jiwer.cer(said, heard),
        "epochs": epochs,
        "seconds": seconds,
        "processor": processor,
    }


def stream(run: str) -> dict[str, Any]:
    """Time of the `stream` signature per 40 ms chunk, and whether the text equals that of the whole recording."""
    import tensorflow as tf

    from rnnapps import serving
    from rnnapps.apps.transcription.cli import TASK, Search
    from rnnapps.apps.transcription.serving import endpoints
    from rnnapps.apps.transcription.transcribing import listener
    from rnnapps.cli.run_config import read_run
    from rnnapps.datasets import load_splits
    from rnnapps.recurrences import use_engine

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _, config, model = read_run(pathlib.Path(run), TASK)
    if not model.options.causal:
        raise SystemExit(f"{run}: train it with --causal")
    clips = load_splits(config.source, ["test"])["test"].waveforms[:20]
    size = round(0.04 * model.sample_rate)
    times, processor, equal = [], [], True
    whole = listener(model, Search(beam=1))
    with tempfile.TemporaryDirectory() as folder, use_engine("graph"):
        export = serving.save(pathlib.Path(folder), [model, model.fused], endpoints(model)).folder
        advance, start = (serving.load(export, name) for name in ("stream", "stream_start"))
        for number, clip in enumerate(clips):
            samples = clip[None].astype(np.float32) / 2**15
            states = start(batch=tf.constant(1))
            for begin in range(0, samples.shape[1], size):
                began, used = time.perf_counter(), time.process_time()
                states = advance(chunk=tf.constant(samples[:, begin : begin + size]), **states)
                text = states["text"].numpy()[0].decode()
                if number:  # the first recording warms up
                    times.append(time.perf_counter() - began)
                    processor.append(time.process_time() - used)
            (expected,) = whole(tf.constant(samples), tf.constant([samples.shape[1]]))
            equal &= text.strip() == expected
    p50, p99 = (1000 * float(value) for value in np.percentile(times, [50, 99]))
    factors = {
        "real_time_factor": float(np.mean(times)) / 0.04,
        "processor_factor": float(np.mean(processor)) / 0.04,
    }
    return {"chunks": len(times), "p50": p50, "p99": p99, **factors, "equal": bool(equal)}


if __name__ == "__main__":
    main()
