"""`TF_CONFIG`, the environment variable that names the workers of a training job; needs no TensorFlow."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from rnnapps.errors import UserError

STRATEGIES = ("auto", "none", "mirrored", "multi-worker")
_EXAMPLE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


def worker_count(strategy: str) -> int:
    """Number of workers that a strategy of this name would connect; 0 where it connects none.

    Args:
        strategy: See `rnnapps.training.strategy`.

    Raises:
        UserError: `TF_CONFIG` is missing or not one that a worker can start from.
    """
    if strategy not in ("auto", "multi-worker"):
        return 0
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        if strategy == "multi-worker":
            raise UserError("--strategy multi-worker needs the environment variable TF_CONFIG, which names the workers")
        return 0
    try:
        config: Any = json.loads(text)
        jobs = {str(kind): [str(address) for address in addresses] for kind, addresses in config["cluster"].items()}
        kind, index = str(config["task"]["type"]), int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"TF_CONFIG must be {_EXAMPLE}, got {text[:200]}") from None
    if kind not in ("chief", "worker") or "ps" in jobs:
        raise UserError("TF_CONFIG: parameter servers and evaluators are unsupported; name workers and a chief only")
    addresses = jobs.get(kind, [])
    if not 0 <= index < len(addresses):
        raise UserError(f"TF_CONFIG: the index of a {kind} must be less than {len(addresses)}, got {index}")
    for address in [*jobs.get("chief", []), *jobs.get("worker", [])]:
        if not re.fullmatch(r".+:\d+", address):
            raise UserError(f"TF_CONFIG: the address of a worker must be host:port, got {address!r}")
    return len(jobs.get("chief", [])) + len(jobs.get("worker", []))
