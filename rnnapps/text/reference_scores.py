"""How close texts are to what people wrote: BLEU and chrF as sacreBLEU computes them, with their signatures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from rnnapps.extras import from_extra


class Score(NamedTuple):
    """A score and how it was computed.

    Attributes:
        score: From 0 to 100; 100 is best.
        signature: sacreBLEU's description of the metric, for comparison with other figures.
    """

    score: float
    signature: str


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]], extra: str) -> Score:
    """BLEU (Papineni et al. 2002) of a corpus: cased, tokenizer 13a.

    Args:
        texts: What a model wrote.
        references: What people wrote for each text, once or more often.
        extra: The extra of rnnapps that installs sacreBLEU.

    Raises:
        UserError: sacreBLEU is not installed.
    """
    return _score(_metrics(extra).BLEU(), texts, references)


def chrf(texts: Sequence[str], references: Sequence[Sequence[str]], extra: str) -> Score:
    """chrF (Popović 2015) of a corpus: agreement of its characters. Arguments and errors as for `bleu`."""
    return _score(_metrics(extra).CHRF(), texts, references)


def _score(metric: Any, texts: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    streams = [list(stream) for stream in zip_longest(*references)]  # sacreBLEU passes over None
    return Score(metric.corpus_score(list(texts), streams).score, str(metric.get_signature()))


def _metrics(extra: str) -> Any:
    return from_extra("sacrebleu.metrics", extra=extra, purpose="BLEU")
