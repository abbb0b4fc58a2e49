"""From a model of the next token to whole sequences: greedy search, beam search and sampling over a step function.

All three are plain graphs of core TensorFlow ops, for any batch size, 0 included, and any number of steps, so
TensorFlow Serving runs them. Their shapes change from step to step, so XLA cannot compile them. The model is a function

    step(ids, states, constants) -> logits, states

- `ids`: Int32 `(rows, width)`, the last token of each hypothesis. `width` is the number of hypotheses of a sentence:
  1 for greedy search, the number of samples, or the beam width; 1 also at the first step of a beam search, where all
  hypotheses are the same.
- `states`: A nest of tensors `(rows, width, ...)` that change with each token: the hidden states of a decoder, the
  attentional vector that is fed to the next step. The search takes them as `(batch, ...)`; the step function must
  return the same structure and dtypes.
- `constants`: A nest of tensors `(rows, ...)` that stay the same for a sentence: memory, keys, mask. They are not
  repeated for each hypothesis: `AdditiveAttention` and `MultiplicativeAttention` take a query `(rows, width, units)`.
- `logits`: `(rows, width, vocabulary)`, of any floating dtype; log-probabilities serve as well.

`rows` starts as the batch size and shrinks when a sentence is done, so that one long sentence does not keep the others
computing. States and constants may contain only tensors, not None. Dense layers and the cells of `rnnapps.layers` work
on `(rows, width, features)` directly:

    def step(ids, states, constants):
        memory, keys, mask = constants
        output, states = cell(embedding(ids), states)
        context, _ = attention(output, memory, mask=mask, keys=keys)
        return readout(tf.concat([output, context], axis=-1)), states

    hypotheses = beam_search(step, cell_states, (memory, keys, mask), start=2, end=3, max_length=2 * lengths + 10)
    hypotheses.ids[:, 0]  # the best of each sentence

`sample_rows` is for requests that a server answers together: each row has its own seed, temperature and length.

Speech needs a different search: a CTC model outputs all its probabilities before the search begins. `ctc_greedy`,
`ctc_beam_search` and `ctc_align` take these.

A hypothesis is a sequence of at most `max_length` tokens, followed by the end. Its log-probability includes all its
tokens and the end; after `max_length` tokens only the end can follow, however unlikely it is.
"""

from rnnapps.decoding.beam_search import beam_search
from rnnapps.decoding.ctc import Alignment, ctc_align, ctc_greedy, without_long_blanks
from rnnapps.decoding.ctc_beam_search import Scorer, ctc_beam_search
from rnnapps.decoding.hypotheses import Hypotheses, length_penalty
from rnnapps.decoding.impossible import IMPOSSIBLE
from rnnapps.decoding.random_numbers import step_uniform, uniform
from rnnapps.decoding.row_sampling import Rows, draw, sample_rows
from rnnapps.decoding.sampling import candidates, greedy, sample

__all__ = [
    "IMPOSSIBLE",
    "Alignment",
    "Hypotheses",
    "Rows",
    "Scorer",
    "beam_search",
    "candidates",
    "ctc_align",
    "ctc_beam_search",
    "ctc_greedy",
    "draw",
    "greedy",
    "length_penalty",
    "sample",
    "sample_rows",
    "step_uniform",
    "uniform",
    "without_long_blanks",
]
