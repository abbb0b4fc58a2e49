"""Training on several workers: the loopback interface, a worker that is killed, the weights of a single process."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from rnnapps.errors import UserError
from tests.training.worker import train


def start(count, run_dir, *how):
    """Starts so many workers; `how` says what each is to do."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.worker", str(run_dir), how[number]],
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
                ),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in range(count)
    ]


def ended(workers):
    """What each worker printed; none of them outlives the test."""
    try:
        return [worker.communicate(timeout=600)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()


@pytest.mark.slow
def test_a_killed_worker_costs_steps_and_the_job_ends_as_that_of_one_process(tmp_path):
    run = tmp_path / "run"
    workers = start(3, run, "train", "train", "die")
    said = ended(workers)
    assert [worker.returncode for worker in workers] == [3, 3, -signal.SIGKILL]
    assert all(f"another worker is gone or cannot be reached; start all workers again with --resume {run}" in text
               for text in said[:2])  # fmt: skip
    assert not (run / "metrics.json").exists()

    workers = start(2, run, "resume", "resume")  # two take over from three
    said = [text.split()[-1] for text in ended(workers)]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert said[0] == said[1]  # all saw the same metrics
    rows = [line.split(",")[:2] for line in (run / "history.csv").read_text().splitlines()]
    assert rows == [["epoch", "step"], ["1", "5"], ["2", "10"], ["3", "15"], ["4", "20"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]  # only the chief writes

    alone, history = train(tmp_path / "alone")
    assert float(said[0]) == pytest.approx(history.best_value, abs=1e-5)
    together = training.load_model(training.RunFolder(run))
    for weight, expected in zip(together.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


@pytest.mark.slow
def test_two_replicas_of_one_process_train_as_one_device():
    """In a process of its own, since the number of devices is fixed once TensorFlow has begun."""
    subprocess.run([sys.executable, "-m", "tests.training.two_devices"], check=True, capture_output=True, text=True)


WORKER = '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": %d}}'


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("horovod", None, "strategy must be one of auto, none, mirrored, multi-worker, got 'horovod'"),
        ("multi-worker", None, "needs the environment variable TF_CONFIG"),
        ("multi-worker", "{", 'TF_CONFIG must be {"cluster"'),
        ("auto", WORKER % 1, "the index of a worker must be less than 1, got 1"),
        (
            "auto",
            '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
            "must be host:port, got 'a'",
        ),
        ("auto", '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "parameter servers"),
    ],
)
def test_a_wrong_strategy_is_one_line(name, config, said, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError) as error:
        training.strategy(name)
    assert said in str(error.value)


def test_one_device_needs_no_strategy(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", WORKER % 0)
    assert training.strategy("auto").num_replicas_in_sync == 1
    assert training.strategy("none") is tf.distribute.get_strategy()
