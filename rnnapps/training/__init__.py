"""Training: one `fit` for every application. It knows Keras models, not tasks."""

from rnnapps.run_folder import RunError, RunFolder
from rnnapps.training.batches import Batches
from rnnapps.training.ctc_loss import ctc_loss, needed_steps
from rnnapps.training.distributed import check_same_everywhere
from rnnapps.training.errors import Diverged, Interrupted, WorkerLost
from rnnapps.training.gradient_flow import GradientFlow, gradient_flow
from rnnapps.training.history import History
from rnnapps.training.model_file import load_arrays, load_model, load_model_file
from rnnapps.training.optimizer import OPTIMIZERS, LayerRate, apply_gradients, averaged_weights, measured, optimizer
from rnnapps.training.plots import plot_attention, plot_confusion_matrix, plot_curves
from rnnapps.training.runs import check_run_dir, open_run, remove_run
from rnnapps.training.schedule import SCHEDULES, ReduceOnPlateau, learning_rate_schedule
from rnnapps.training.seed import set_seed
from rnnapps.training.strategies import STRATEGIES, is_chief, lost_workers_named, strategy
from rnnapps.training.take_weights import take_weights
from rnnapps.training.training_loop import fit
from rnnapps.training.training_run import ResumableCallback

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "STRATEGIES",
    "Batches",
    "Diverged",
    "GradientFlow",
    "History",
    "Interrupted",
    "LayerRate",
    "ReduceOnPlateau",
    "ResumableCallback",
    "RunError",
    "RunFolder",
    "WorkerLost",
    "apply_gradients",
    "averaged_weights",
    "check_run_dir",
    "check_same_everywhere",
    "ctc_loss",
    "fit",
    "gradient_flow",
    "is_chief",
    "learning_rate_schedule",
    "load_arrays",
    "load_model",
    "load_model_file",
    "lost_workers_named",
    "measured",
    "needed_steps",
    "open_run",
    "optimizer",
    "plot_attention",
    "plot_confusion_matrix",
    "plot_curves",
    "remove_run",
    "set_seed",
    "strategy",
    "take_weights",
]
