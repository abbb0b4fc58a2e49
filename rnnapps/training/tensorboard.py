"""The rows of the history as TensorBoard event files."""

from __future__ import annotations

import pathlib

import tensorflow as tf

from rnnapps.training.state import Row

# `tf.summary.scalar` needs the tensorboard package, which TensorFlow no longer brings; this writes the same record.
SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
)


class EventFiles:
    """Writes training and validation values to `train/` and `validation/`, so that TensorBoard shows them in one chart.

    Args:
        folder: The run's `logs` folder. A file is made with the first row; a resumed run makes another beside it.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def write(self, row: Row) -> None:
        """Writes one finished epoch."""
        for name, value in row.items():
            if name == "epoch":
                continue
            side = "validation" if name.startswith("val_") else "train"
            if side not in self._writers:
                self._writers[side] = tf.summary.create_file_writer(str(self._folder / side))
            with self._writers[side].as_default():
                value = tf.constant(value, tf.float32)
                tf.summary.write(name.removeprefix("val_"), value, step=int(row["epoch"]), metadata=SCALAR)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
