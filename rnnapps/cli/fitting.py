"""From the options of `train` to a trained model in a run folder, and back; the same for every app."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.errors import UserError


def fit_model(
    model,
    batches,
    validation,
    run_dir: Path,
    options: Mapping[str, Any],
    *,
    resume: bool,
    overwrite: bool,
    checkpoint_every: int,
    gradient_flow: bool,
    loss=None,
    metrics: Sequence[Any] = (),
    jit_compile: bool | str = "auto",
    **arguments: Any,
):
    """Compiles a model, and trains it as `rnnapps.cli.training_options` say.

    Args:
        model: built, not compiled.
        batches: training batches, see `rnnapps.training.Batches`.
        validation: validation batches.
        run_dir: the run folder; with `overwrite` a run in it is removed now, when everything else has gone well.
        options: what the run depends on, written to its config.json.
        resume, overwrite, checkpoint_every, gradient_flow: the options of that name.
        loss, metrics, jit_compile: as for `keras.Model.compile`.
        **arguments: more for `rnnapps.training.fit`: `monitor`, `mode`, `figures`.

    Returns:
        The `rnnapps.training.History`.
    """
    from rnnapps import training

    steps = options["epochs"] * batches.steps
    model.compile(
        training.optimizer(
            learning_rate=options["learning_rate"],
            schedule=options["schedule"],
            total_steps=steps,
            warmup_steps=steps // 20 if options["schedule"] == "cosine" else 0,
            clip_norm=options["clip_norm"],
            weight_averaging=options["averaging"] or None,
        ),
        loss=loss,
        metrics=list(metrics) or None,
        jit_compile=jit_compile,
    )
    run = training.RunFolder(run_dir)
    callbacks = []
    if gradient_flow:
        one_batch = next(iter(validation.epoch(0)))
        callbacks.append(training.GradientFlow(one_batch, run.logs, run.report / "gradient_flow.png"))
    if overwrite and not resume:
        training.remove_run(run_dir)
    return training.fit(
        model,
        batches,
        validation,
        run_dir=run_dir,
        epochs=options["epochs"],
        config={name: str(value) if isinstance(value, Path) else value for name, value in options.items()},
        resume=resume,
        checkpoint_every_steps=checkpoint_every,
        patience=options["patience"],
        reduce_on_plateau=training.ReduceOnPlateau() if options["schedule"] == "plateau" else None,
        callbacks=callbacks,
        **arguments,
    )


def fit_classifier(model, batches, validation, run_dir: Path, options: Mapping[str, Any], **arguments: Any):
    """`fit_model` for a classifier that gives logits: cross-entropy and accuracy."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return fit_model(model, batches, validation, run_dir, options, loss=loss, metrics=["accuracy"], **arguments)


def load_run_model(folder, model_class: type):
    """The best model of a run.

    Args:
        folder: the `rnnapps.training.RunFolder`.
        model_class: the class that it was saved from; having it at hand means that Keras knows it.

    Raises:
        UserError: if the file is damaged or holds something else.
    """
    import keras

    try:
        return keras.models.load_model(folder.model_file, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder.model_file}: cannot be loaded as a {model_class.__name__}: {error}") from None
