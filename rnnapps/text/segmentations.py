"""Subword regularisation: other likely segmentations of the same words in every epoch of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rnnapps.extras import from_extra

_CANDIDATES = 64  # l in the paper


class Segmentations:
    """Draws segmentations of some texts from the subword model, the same ones for the same seed.

    No piece crosses a space, so each word is segmented on its own, with the probability

        P(x | word) = P(x)^alpha / sum_i P(x_i)^alpha,    i over the 64 best segmentations of the word

    where P is the unigram model's. The candidates are found once, by the constructor; a draw takes milliseconds.

    Args:
        model: What `train_subwords` returned.
        texts: The texts, UTF-8.
        alpha: 0 makes all candidates equally likely; 0.1 to 0.5 are usual.

    Raises:
        ValueError: `alpha` is negative or not finite.
        UserError: The package sentencepiece is not installed.

    Example:
        >>> model = train_subwords(["Two dogs run.", "A dog sleeps."] * 9, size=512)
        >>> segmentations = Segmentations(model, ["Two dogs sleep."], alpha=0.2)
        >>> first, second = segmentations.draw(seed=1), segmentations.draw(seed=2)
        >>> Subwords(model).decode(first).numpy() == Subwords(model).decode(second).numpy()
        array([ True])

    Reference:
        Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword Candidates",
        ACL 2018, section 3.2.
    """

    def __init__(self, model: bytes, texts: Sequence[bytes | str], alpha: float) -> None:
        if not 0 <= alpha < np.inf:
            raise ValueError(f"alpha must be 0 or a finite positive number, got {alpha}")
        sentencepiece = from_extra("sentencepiece", extra="translation", purpose="subword regularisation")
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        log_probability = np.array(processor.get_score(list(range(processor.get_piece_size()))))

        space = processor.piece_to_id("▁")
        numbers: dict[str, int] = {}
        split = [text.split("▁")[1:] for text in processor.normalize([_utf8(text) for text in texts])]
        self._words = np.array([numbers.setdefault(word, len(numbers)) for words in split for word in words], np.int64)
        self._words_before = np.concatenate([[0], np.cumsum([len(words) for words in split])]).astype(np.int64)

        pieces: list[int] = []
        lengths: list[int] = []
        cumulative: list[np.ndarray] = []
        self._first = np.zeros(len(numbers), np.int64)
        for word, number in numbers.items():
            # An empty word, between two spaces, comes only from texts that hold the sign for spaces itself.
            candidates = processor.nbest_encode(word, nbest_size=_CANDIDATES, out_type=int) if word else [[space]]
            scores = alpha * np.array([log_probability[candidate].sum() for candidate in candidates])
            probability = np.exp(scores - scores.max())
            self._first[number] = len(lengths)
            # A word's number plus its cumulative probabilities: in one sorted array, all words are looked up at once.
            cumulative.append(number + np.cumsum(probability / probability.sum()))
            lengths.extend(map(len, candidates))
            pieces.extend(piece for candidate in candidates for piece in candidate)
        self._pieces = np.array(pieces, np.int32)
        self._lengths = np.array(lengths, np.int64)
        self._begin = np.cumsum(self._lengths) - self._lengths
        self._last = np.append(self._first[1:], len(lengths)) - 1
        self._cumulative = np.concatenate(cumulative) if cumulative else np.zeros(0)

    def draw(self, seed: int | Sequence[int]) -> tf.RaggedTensor:
        """Draws one segmentation of every text, ragged int32 `(texts, None)` without `START` and `END`.

        Args:
            seed: Seed of the draw, such as `(run_seed, epoch)`.
        """
        uniform = np.random.default_rng(seed).random(len(self._words))
        chosen = np.searchsorted(self._cumulative, self._words + uniform, side="right")
        chosen = np.minimum(chosen, self._last[self._words])  # if rounding leaves the sum below 1
        lengths = self._lengths[chosen]
        before = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(before[-1]) + np.repeat(self._begin[chosen] - before[:-1], lengths)
        return tf.RaggedTensor.from_row_splits(self._pieces[places], before[self._words_before])


def _utf8(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
