"""The classifier: words -> embeddings -> recurrent layers -> pooling -> class, with the vocabulary inside the model."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from rnnapps.layers import GRU, LSTM, Bidirectional, MaskedPooling, SimpleRNN
from rnnapps.text import HashedNgrams, word_vectorizer
from rnnapps.training import apply_gradients

CELLS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
UNKNOWN = 1  # the id of a word outside the vocabulary


@keras.saving.register_keras_serializable("rnnapps")
class SentimentClassifier(keras.Model):
    """Reads a text with recurrent layers and says which class it belongs to.

    Args:
        vocabulary: the known words, most frequent first.
        classes: names of the classes, two or more.
        cell: "rnn", "gru" or "lstm".
        units: width of a recurrent layer, per direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads in both directions.
        embedding_units: width of a word's embedding.
        pooling: a mode of `MaskedPooling`.
        dropout: on the inputs of each recurrent layer and of the head, one mask per text.
        recurrent_dropout: on the state between steps.
        word_dropout: fraction of words that training replaces by the unknown word.
        l2: penalty on kernels, recurrent kernels and biases.
        truncate: stop the gradient every so many steps; None never does.
        ngrams: longest n-gram of the linear part beside the recurrent one; 0 leaves it out.
        adversarial: size of an adversarial perturbation of the embeddings, as a fraction of their norm; 0 is none.
        max_length: words of a text that are read; of a longer text, the last ones.

    Call arguments:
        tokens: int tensor (batch, time), word ids padded with 0.

    Output:
        Logits, float (batch, classes). Use `probabilities` for strings.

    References:
        Miyato et al., "Adversarial Training Methods for Semi-Supervised Text Classification", ICLR 2017;
        Wang and Manning, "Baselines and Bigrams", ACL 2012 (the linear part);
        Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods", ACL 2015 (word dropout).
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        classes: Sequence[str],
        *,
        cell: str = "lstm",
        units: int = 128,
        layers: int = 1,
        bidirectional: bool = True,
        embedding_units: int = 128,
        pooling: str = "max+mean",
        dropout: float = 0.3,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
        l2: float = 0.0,
        truncate: int | None = None,
        ngrams: int = 0,
        adversarial: float = 0.0,
        max_length: int = 400,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = {
            "vocabulary": list(vocabulary),
            "classes": list(classes),
            "cell": cell,
            "units": units,
            "layers": layers,
            "bidirectional": bidirectional,
            "embedding_units": embedding_units,
            "pooling": pooling,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "word_dropout": word_dropout,
            "l2": l2,
            "truncate": truncate,
            "ngrams": ngrams,
            "adversarial": adversarial,
            "max_length": max_length,
        }
        self.classes = tuple(classes)
        self.words = word_vectorizer(vocabulary)
        self.embedding = keras.layers.Embedding(2 + len(vocabulary), embedding_units, mask_zero=True, name="embedding")
        self.seed_generator = keras.random.SeedGenerator()
        penalty = {
            name: keras.regularizers.L2(l2)
            for name in ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")
            if l2
        }
        self.recurrent = []
        for number in range(1, layers + 1):
            layer = CELLS[cell](
                units,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
                truncate=truncate,
                return_sequences=True,
                name=f"{cell}_{number}",
                **penalty,
            )
            self.recurrent.append(Bidirectional(layer, name=f"bidirectional_{number}") if bidirectional else layer)
        self.pooling = MaskedPooling(pooling)
        self.head_dropout = keras.layers.Dropout(dropout)
        self.head = keras.layers.Dense(len(classes), dtype="float32", name="head")
        self.ngrams = HashedNgrams(len(classes), ngrams, dtype="float32", name="ngrams") if ngrams else None

    def build(self, tokens_shape=None):
        # A real call builds every layer; two steps keep the n-gram part's shapes general.
        self.call(tf.zeros((1, 2), tf.int64))
        self.built = True

    def adapt(self, batches) -> None:
        """Builds the model and counts what its n-gram part needs from training batches; see `HashedNgrams.adapt`."""
        self.build()
        if self.ngrams:
            self.ngrams.adapt(batches.epoch(0))

    def call(self, tokens, training=False):
        logits = self._read(self._embed(tokens, training), self.embedding.compute_mask(tokens), training)
        return (logits + self.ngrams(tokens)) / 2 if self.ngrams else logits

    def _embed(self, tokens, training):
        if training and self.options["word_dropout"]:
            dropped = keras.random.uniform(tf.shape(tokens), seed=self.seed_generator) < self.options["word_dropout"]
            tokens = tf.where(dropped & (tokens > 0), tf.cast(UNKNOWN, tokens.dtype), tokens)
        return self.embedding(tokens)

    def _read(self, embedded, mask, training):
        sequence = embedded
        for layer in self.recurrent:
            sequence = layer(sequence, mask=mask, training=training)
        pooled = self.pooling(sequence, mask=mask)
        return self.head(self.head_dropout(pooled, training=training))

    def train_step(self, data):
        tokens, labels = data
        with tf.GradientTape() as tape:
            logits, loss = self._training_loss(tokens, labels)
            loss = self.optimizer.scale_loss(loss + sum(self.losses))
        weights = self.trainable_weights
        apply_gradients(self.optimizer, tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                # The loss that validation reports too, without penalties and perturbations.
                metric.update_state(self.loss(labels, logits), sample_weight=tf.shape(labels)[0])
            else:
                metric.update_state(labels, logits)
        return self.get_metrics_result()

    def _training_loss(self, tokens, labels):
        """Logits and the sum of the parts' own losses: each part learns as if it were alone."""
        mask = self.embedding.compute_mask(tokens)
        with tf.GradientTape(watch_accessed_variables=False) as embedding_tape:
            embedded = self._embed(tokens, training=True)
            embedding_tape.watch(embedded)
            logits = self._read(embedded, mask, training=True)
            loss = self.loss(labels, logits)
        if size := self.options["adversarial"]:
            # r = size * |E| * g / |g|, g the gradient of the loss in the embeddings E of a text.
            gradient = embedding_tape.gradient(loss, embedded)
            real = tf.cast(mask, embedded.dtype)[..., None]
            scale = size * _norm(embedded * real) / (_norm(gradient) + 1e-12)
            perturbed = embedded + tf.stop_gradient(scale * gradient)
            loss += self.loss(labels, self._read(perturbed, mask, training=True))
        if self.ngrams:
            linear = self.ngrams(tokens)
            loss += self.loss(labels, linear)
            logits = (logits + linear) / 2
        return logits, loss

    def tokens(self, texts) -> tf.RaggedTensor:
        """Word ids of strings, string (batch,) -> ragged int64 (batch, time), the last `max_length` of each."""
        return self.words(texts)[:, -self.options["max_length"] :]

    def probabilities(self, texts) -> tf.Tensor:
        """Class probabilities of strings: string (batch,) -> float32 (batch, classes)."""
        return tf.nn.softmax(self(self.tokens(texts).to_tensor()))

    def get_config(self):
        return {**super().get_config(), **self.options}


def _norm(sequences: tf.Tensor) -> tf.Tensor:
    """Norm of each text's sequence: (batch, time, units) -> (batch, 1, 1)."""
    return tf.sqrt(tf.reduce_sum(tf.square(sequences), axis=(1, 2), keepdims=True))
