"""The translator: subwords -> bidirectional encoder -> attention decoder -> subwords, with the vocabularies inside."""

from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.translation.cli import Options, Search
from rnnapps.decoding import beam_search
from rnnapps.layers import Bidirectional, Stacked, recurrent_layer
from rnnapps.layers.attention_decoder import AttentionDecoder, Tensors, embed, token_embedding
from rnnapps.options import as_json, from_keywords
from rnnapps.prediction.nbest import NO_ANSWER
from rnnapps.text import END, PAD, START, Subwords
from rnnapps.training import apply_gradients, measured

LONGEST = 1000  # subwords of a source that are read, so that no request uses up the memory


@keras.saving.register_keras_serializable("rnnapps")
class Translator(AttentionDecoder):
    """Reads a sentence with an encoder and writes its translation with a decoder that looks back by attention.

    With subwords x_1 ... x_S of the source and y_1 ... y_T of the target, E the embedding of both:

        m = encoder(E x)                                     bidirectional, (S, 2 units)
        h_t = first(E y_{t-1}, h_{t-1}),  h_0 = tanh(W_0 [m_forward_S; m_backward_1])
        c_t = attention(h_t, m)
        g_t = upper([h_t; c_t], g_{t-1})                     the decoder's other layers, if any
        o_t = tanh(W_o [g_t; c_t])
        p(y_t) = softmax(E o_t)

    The query is the first decoder layer's state, and the layers above read the context. So no layer
    waits for the layer above it, and in training each layer runs over the whole target sentence at once.

    Args:
        source_subwords: `Subwords.to_text()` of the source language.
        target_subwords: The same for the target language; None if `source_subwords` serve both, which then share one
            embedding.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.translation.cli.Options`. Multiplicative attention is divided by the square root of
            its width; without attention, c_t = h_0.

    Call arguments:
        inputs: `(source, target)`, int32 (batch, S) and (batch, T), padded with 0; `target` begins with START.

    Output:
        Logits of the subword after each of `target`, float32 (batch, T, subwords).

    References:
        Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015;
        Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015;
        Wu et al., "Google's neural machine translation system", arXiv:1609.08144 (attention from the bottom layer);
        Press and Wolf, "Using the output embedding to improve language models", EACL 2017 (tied embeddings);
        Szegedy et al., "Rethinking the inception architecture", CVPR 2016, section 7 (label smoothing).
    """

    def __init__(
        self,
        source_subwords: str,
        target_subwords: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.options = chosen = from_keywords(Options, options, type(self).__name__)
        self.subword_texts = {"source_subwords": source_subwords, "target_subwords": target_subwords}
        self.source_subwords = Subwords.from_text(source_subwords)
        self.target_subwords = Subwords.from_text(target_subwords) if target_subwords else self.source_subwords
        units, layers, width = chosen.units, chosen.layers, chosen.embedding_units
        self.target_embedding = token_embedding(self.target_subwords.size, width, "target_embedding")
        self.source_embedding = (
            token_embedding(self.source_subwords.size, width, "source_embedding")
            if target_subwords
            else self.target_embedding
        )
        arguments = chosen.layer_arguments(without=("units", "dropout"))  # `Stacked` and the decoder apply dropout
        self.encoder = Stacked(
            [
                Bidirectional(
                    recurrent_layer(
                        units=units,
                        return_sequences=True,
                        return_state=True,
                        name=f"encoder_{number}",
                        **arguments,
                    ),
                    name=f"encoder_{number}",
                )
                for number in range(1, layers + 1)
            ],
            dropout=chosen.dropout,
            name="encoder",
        )
        self.make_decoder(
            self.target_embedding,
            units=2 * units,
            layers=layers,
            attention=chosen.attention,
            dropout=chosen.dropout,
            **arguments,
        )

    def build(self, input_shape: Any = None) -> None:
        # A real call builds every layer.
        self.call((tf.ones((1, 2), tf.int32), tf.ones((1, 2), tf.int32)))
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        source, target = inputs
        return self.logits(self.decode(target, *self.encode(source, training), training))

    def encode(self, source: tf.Tensor, training: bool = False) -> tuple[Tensors, Tensors]:
        """What the decoder needs to know about source sentences, int32 (batch, S) padded with 0.

        Returns:
            What stays the same for a sentence: memory (batch, S, 2 units), its keys and its mask for the attention, or
            without one the fixed vector (batch, 2 units); and the states (batch, 2 units) from which the decoder
            starts, those of its bottom layer first.
        """
        mask = tf.not_equal(source, PAD)
        embedded = self.dropout(embed(self.source_embedding, source), training=training)
        memory, *states = self.encoder(embedded, mask=mask, training=training)
        return self.begin(memory, mask, states)

    def alignment(self, source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """The weights of the attention, (batch, T, S), when `target` (batch, T), which begins with START, is given."""
        return self.attended(target, *self.encode(source))

    def train_step(self, data: Any) -> dict[str, Any]:
        (source, target_in), target_out, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            cross_entropy, smoothing = self.costs(source, target_in, target_out, training=True)
            loss = self.optimizer.scale_loss(cross_entropy + smoothing + sum(self.losses))
        weights = self.trainable_weights
        apply_gradients(self.optimizer, tape.gradient(loss, weights), weights)
        # Without smoothing and penalties, so that exp(loss) is the perplexity.
        return measured(self, cross_entropy, tf.math.count_nonzero(target_out))

    def test_step(self, data: Any) -> dict[str, Any]:
        (source, target_in), target_out, _ = keras.utils.unpack_x_y_sample_weight(data)
        cross_entropy, _ = self.costs(source, target_in, target_out)
        return measured(self, cross_entropy, tf.math.count_nonzero(target_out))

    def costs(
        self, source: tf.Tensor, target_in: tf.Tensor, target_out: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Cross-entropy and what label smoothing adds to it, means over the subwords of a batch.

        With smoothing s the loss is lse(z) - (1 - s) z_y - s mean(z) = cross-entropy + s (z_y - mean(z)), z the logits.
        The second part is linear in z = E o, so it needs the mean row of E only and not a second pass over z.
        """
        outputs = self.decode(target_in, *self.encode(source, training), training)
        real = tf.cast(tf.not_equal(target_out, PAD), tf.float32)
        share = real / tf.maximum(tf.reduce_sum(real), 1.0)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(target_out, self.logits(outputs))
        smoothing = tf.constant(0.0)
        if s := self.options.label_smoothing:
            table = tf.cast(self.target_embedding.embeddings, tf.float32)
            above_mean = tf.gather(table, target_out) - tf.reduce_mean(table, axis=0)
            smoothing = s * tf.reduce_sum(share[..., None] * tf.cast(outputs, tf.float32) * above_mean)
        return tf.reduce_sum(share * cross_entropy), smoothing

    def source_ids(self, text: tf.Tensor) -> tf.Tensor:
        """int32 (batch, S), padded, of string (batch,): as many subwords as `LONGEST`."""
        return self.source_subwords.encode(text)[:, :LONGEST].to_tensor()

    def translate(self, text: tf.Tensor, search: Search | None = None, *, n_best: int = 1) -> Tensors:
        """Translations of strings, found by beam search; a plain graph.

        Args:
            text: string (batch,). A text without content has an empty translation, with the score 0.
            search: how to search for them.
            n_best: how many for each text, at most the beam's width.

        Returns:
            Translations, string (batch, n_best), the best first, and their scores, float32 (batch, n_best):
            log-probability over length penalty. Missing ones are empty, with the score `NO_ANSWER`.
        """
        search = search or Search()
        source = self.source_ids(text)
        lengths = tf.math.count_nonzero(source, axis=1, dtype=tf.int32)
        limits = tf.minimum(search.length_ratio * tf.cast(lengths, tf.float32) + 10, float(search.longest))
        limits = tf.where(lengths > 0, tf.cast(limits, tf.int32), 0)
        constants, states = self.encode(source)
        found = beam_search(
            self.step,
            states,
            constants,
            start=START,
            end=END,
            max_length=limits,
            beam_width=search.beam,
            n_best=n_best,
            alpha=search.length_penalty,
        )
        ids = tf.reshape(found.ids, [tf.size(found.scores), tf.shape(found.ids)[2]])
        translations = tf.reshape(self.target_subwords.decode(ids), tf.shape(found.scores))
        scores = tf.maximum(found.scores, NO_ANSWER)
        nothing = tf.logical_and(lengths[:, None] == 0, scores > NO_ANSWER)
        return translations, tf.where(nothing, 0.0, scores)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.subword_texts, **as_json(self.options)}
