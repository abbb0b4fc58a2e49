"""Exports that run in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import tensorflow as tf

from rnnapps.serving.inspection.answers import brief
from rnnapps.serving.inspection.graph import load_text_ops, serving_graph, unregistered_operations
from rnnapps.serving.versions import ExportError, latest


def load(
    export: Path, signature: str = "serving_default", *, outputs: Collection[str] = ()
) -> Callable[..., dict[str, tf.Tensor]]:
    """The signature of an export as a function of named tensors.

    Args:
        export: A version's folder, or the folder of the versions, which stands for the newest one.
        signature: The name of the signature.
        outputs: Outputs that the caller needs.

    Returns:
        A function that takes the inputs by name and returns the outputs by name. It raises `ExportError` if it is
        called with other inputs than the signature's.

    Raises:
        ExportError: If there is no such export, signature or output, or if the export is damaged.
    """
    folder = latest(export)
    model = _loaded(folder)
    where = f"{folder}: wrong kind of model"
    if signature not in model.signatures:
        raise ExportError(f"{where}: no signature {signature!r}; it has {_listed(model.signatures)}")
    function = model.signatures[signature]
    names = function.structured_input_signature[1].keys()
    if missing := [name for name in outputs if name not in function.structured_outputs]:
        known = _listed(function.structured_outputs)
        raise ExportError(f"{where}: {signature} has no output {missing[0]!r}; it has {known}")

    def ask(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        if inputs.keys() != names:
            raise ExportError(f"{where}: {signature} takes {_listed(names)}, got {_listed(inputs)}")
        return function(**inputs)

    ask.model = model  # type: ignore[attr-defined] # a signature alone does not keep the model's variables alive
    return ask


def _loaded(folder: Path) -> Any:
    try:
        meta = serving_graph(str(folder))  # says in a line what is wrong where TensorFlow needs a page
        if unregistered_operations(meta):
            load_text_ops()
        if missing := unregistered_operations(meta):
            hint = "" if load_text_ops() else '; for those of TensorFlow Text: pip install "rnnapps[translation]"'
            raise ExportError(f"{folder}: needs operations that TensorFlow lacks: {', '.join(missing)}{hint}")
        return tf.saved_model.load(str(folder), tags=["serve"])
    except ExportError:
        raise
    except Exception as error:  # damaged files raise anything
        remedy = "copy the export again, or export the run again"
        raise ExportError(f"{folder}: damaged, cannot be loaded ({brief(error)}); {remedy}") from None


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
