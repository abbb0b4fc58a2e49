"""The command line that every application shares: a `Task` in, the commands out. Imports no TensorFlow."""

from rnnapps.cli.app import App
from rnnapps.cli.audio_options import AudioOptions, AudioTrainingOptions
from rnnapps.cli.recurrent_options import RecurrentOptions
from rnnapps.cli.run_config import RunConfig
from rnnapps.cli.task import NoOptions, Objective, Task
from rnnapps.cli.training_options import TrainingOptions
from rnnapps.cli.verbs import command_group

__all__ = [
    "App",
    "AudioOptions",
    "AudioTrainingOptions",
    "NoOptions",
    "Objective",
    "RecurrentOptions",
    "RunConfig",
    "Task",
    "TrainingOptions",
    "command_group",
]
