"""The options of a model for recordings, and of its training. Applications subclass them."""

import dataclasses
from typing import Any

from rnnapps.cli.recurrent_options import RecurrentOptions
from rnnapps.cli.training_options import TrainingOptions
from rnnapps.errors import UserError
from rnnapps.options import inherited, option


@dataclasses.dataclass(frozen=True)
class AudioOptions(RecurrentOptions):
    """Recurrent layers behind a `rnnapps.audio.FrontEnd`. "Training:" options augment the recordings in training."""

    cell: str = inherited(RecurrentOptions, "cell", "gru")
    causal: bool = option(
        False, "Causal: read forward only, so that the model can stream.", flags="--causal/--bidirectional"
    )
    convolutions: tuple[int, ...] = option(
        (16, 32), "Channels of the convolutions, each of which halves the frequencies.", minimum=1, metavar="WIDTHS"
    )
    bands: int = option(40, "Number of mel bands.", minimum=1)
    window_seconds: float = option(0.025, "Length of a frame.", above=0, metavar="SECONDS")
    hop_seconds: float = option(0.01, "Time from one frame to the next.", above=0, metavar="SECONDS")
    speed: float = option(0.15, "Training: maximum change of speed, as a fraction.", minimum=0)
    shift_seconds: float = option(
        0.1, "Training: maximum silence added before and after.", minimum=0, metavar="SECONDS"
    )
    gain: float = option(10.0, "Training: maximum change of loudness, in dB.", minimum=0)
    noise: float = option(-5.0, "Training: loudest noise, in dB relative to the clip.")
    tempo: float = option(0.2, "Training: maximum change of tempo at constant pitch, as a fraction.", minimum=0)
    warp: float = option(0.1, "Training: maximum change of vocal tract length, as a fraction.", minimum=0)
    channel: float = option(0.3, "Training: strength of microphone variation, 0 to 1.", minimum=0)
    mask_seconds: float = option(0.1, "Training: maximum length of the masked part.", minimum=0, metavar="SECONDS")
    mask_bands: int = option(6, "Training: maximum number of mel bands masked.", minimum=0)

    def front_end_arguments(self) -> dict[str, Any]:
        """The options that `rnnapps.audio.FrontEnd` takes."""
        fields = (field.name for field in dataclasses.fields(AudioOptions))
        recurrent = {field.name for field in dataclasses.fields(RecurrentOptions)}
        return {name: getattr(self, name) for name in fields if name not in recurrent and name != "causal"}

    def check_frames(self, sample_rate: int) -> None:
        """Refuses frames that skip samples, or do not move on.

        Args:
            sample_rate: In Hz.

        Raises:
            UserError: The hop is shorter than a sample or longer than the window.
        """
        if not 1 <= round(self.hop_seconds * sample_rate) <= round(self.window_seconds * sample_rate):
            raise UserError(
                f"--hop-seconds must be at least one sample and at most --window-seconds ({self.window_seconds}),"
                f" got {self.hop_seconds}"
            )


@dataclasses.dataclass(frozen=True)
class AudioTrainingOptions(TrainingOptions):
    """Training that may start from the weights of another model."""

    learning_rate: float | None = inherited(
        TrainingOptions, "learning_rate", None, missing="3e-3; 1e-3 with --start-from"
    )
    start_from: str | None = option(
        None,
        "For few recordings: start from the model of another run.",
        metavar="RUN",
        missing="nothing",
    )

    @property
    def initial_learning_rate(self) -> float:
        return self.learning_rate or (3e-3 if self.start_from is None else 1e-3)
