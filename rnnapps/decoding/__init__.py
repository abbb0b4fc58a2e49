"""From a model of the next token to whole sequences: greedy, beam search and sampling over a step function.

All three are plain graphs of core TensorFlow ops, for any batch size, also none, and any number of steps, so that
TensorFlow Serving runs them; their shapes change as they go, so XLA does not compile them. What they search with:

    step(ids, states, constants) -> logits, states

- `ids`: int32 `(rows, width)`, the last token of each hypothesis: `width` of them for each sentence, that is 1 for
  greedy, the number of samples, or the beam width; 1 also at a beam's first step, where all hypotheses are the same.
- `states`: a nest of tensors `(rows, width, ...)`, what changes with each token: a decoder's hidden states, the
  attentional vector that is fed to the next step. The search is given them as `(batch, ...)`; what comes back must have
  the same structure and dtypes.
- `constants`: a nest of tensors `(rows, ...)`, what stays the same for a sentence: memory, keys, mask. They are not
  repeated for each hypothesis: `AdditiveAttention` and `MultiplicativeAttention` take a query `(rows, width, units)`.
- `logits`: `(rows, width, vocabulary)`, of any floating dtype; log-probabilities are as good.

`rows` starts as the batch and shrinks when a sentence is done, so that a long one does not keep all others computing.
States and constants hold tensors only (no None). Dense layers and the cells of `rnnapps.layers` work on
`(rows, width, features)` as they are:

    def step(ids, states, constants):
        memory, keys, mask = constants
        output, states = cell(embedding(ids), states)
        context, _ = attention(output, memory, mask=mask, keys=keys)
        return readout(tf.concat([output, context], axis=-1)), states

    found = beam_search(step, cell_states, (memory, keys, mask), start=2, end=3, max_length=2 * lengths + 10)
    found.ids[:, 0]  # the best of each sentence

A hypothesis is a sequence of at most `max_length` tokens and the end after them. Its log-probability is that of all its
tokens and of the end; when `max_length` tokens are there, only the end can follow, however unlikely it is.
"""

from rnnapps.decoding.beam_search import beam_search
from rnnapps.decoding.hypotheses import Hypotheses, length_penalty
from rnnapps.decoding.sampling import greedy, sample

__all__ = ["Hypotheses", "beam_search", "greedy", "length_penalty", "sample"]
