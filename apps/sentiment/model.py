"""The classifier: words -> embeddings -> recurrent layers -> pooling -> class, with the vocabulary inside the model."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.sentiment.cli import Options
from rnnapps.layers import MaskedPooling, recurrent_layers
from rnnapps.options import as_json, from_keywords
from rnnapps.text import HashedNgrams, word_vectorizer
from rnnapps.training import apply_gradients

UNKNOWN = 1  # the id of a word outside the vocabulary
_MOST_BINS = 2**21
_MOST_NGRAM_WEIGHTS = 2**23  # in each of the two tables of the linear part


@keras.saving.register_keras_serializable("rnnapps")
class SentimentClassifier(keras.Model):
    """Reads a text with recurrent layers and says which class it belongs to.

    Args:
        words: The known words, most frequent first.
        classes: Names of the classes, two or more.
        ngram_bins: Bins of the n-grams; see `bins_for`.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.sentiment.cli.Options`.

    Call arguments:
        tokens: Int tensor (batch, time), word ids padded with 0.

    Output:
        Logits, float (batch, classes). Use `probabilities` for strings.

    References:
        Miyato et al., "Adversarial Training Methods for Semi-Supervised Text Classification", ICLR 2017;
        Wang and Manning, "Baselines and Bigrams", ACL 2012 (the linear part);
        Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods", ACL 2015 (word dropout).
    """

    def __init__(
        self,
        words: Sequence[str],
        classes: Sequence[str],
        *,
        ngram_bins: int = _MOST_BINS,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.options = from_keywords(Options, options, type(self).__name__)
        self.vocabulary = tuple(words)
        self.classes = tuple(classes)
        self.words = word_vectorizer(words)
        self.embedding = keras.layers.Embedding(
            2 + len(words), self.options.embedding_units, mask_zero=True, name="embedding"
        )
        self.seed_generator = keras.random.SeedGenerator()
        self.recurrent = recurrent_layers(
            self.options.layers, bidirectional=self.options.bidirectional, **self.options.layer_arguments()
        )
        self.pooling = MaskedPooling(self.options.pooling)
        self.head_dropout = keras.layers.Dropout(self.options.dropout)
        self.head = keras.layers.Dense(len(classes), dtype="float32", name="head")
        self.ngrams = None
        if length := self.options.ngrams:
            self.ngrams = HashedNgrams(len(classes), length, ngram_bins, dtype="float32", name="ngrams")

    def build(self, tokens_shape: Any = None) -> None:
        # A real call builds every layer; two steps keep the n-gram part's shapes general.
        self.call(tf.zeros((1, 2), tf.int64))
        self.built = True

    def call(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        logits = self._read(self._embed(tokens, training), self.embedding.compute_mask(tokens), training)
        return (logits + self.ngrams(tokens)) / 2 if self.ngrams else logits

    def _embed(self, tokens: tf.Tensor, training: bool) -> tf.Tensor:
        if training and self.options.word_dropout:
            dropped = keras.random.uniform(tf.shape(tokens), seed=self.seed_generator) < self.options.word_dropout
            tokens = tf.where(dropped & (tokens > 0), tf.cast(UNKNOWN, tokens.dtype), tokens)
        return self.embedding(tokens)

    def _read(self, embedded: tf.Tensor, mask: tf.Tensor, training: bool) -> tf.Tensor:
        sequence = embedded
        for layer in self.recurrent:
            sequence = layer(sequence, mask=mask, training=training)
        pooled = self.pooling(sequence, mask=mask)
        return self.head(self.head_dropout(pooled, training=training))

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, Any]:
        tokens, labels = data
        with tf.GradientTape() as tape:
            logits, loss = self._training_loss(tokens, labels)
            loss = self.optimizer.scale_loss(loss + sum(self.losses))
        weights = self.trainable_weights
        apply_gradients(self.optimizer, tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                # The same loss as in validation, without penalties and perturbations.
                metric.update_state(self._mean_loss(labels, logits), sample_weight=tf.shape(labels)[0])
            else:
                metric.update_state(labels, logits)
        return self.get_metrics_result()

    def _mean_loss(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(self.loss.call(labels, logits))  # self.loss(...) is divided by the number of replicas

    def _training_loss(self, tokens: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits and the sum of the parts' own losses: each part learns as if it were alone."""
        mask = self.embedding.compute_mask(tokens)
        with tf.GradientTape(watch_accessed_variables=False) as embedding_tape:
            embedded = self._embed(tokens, training=True)
            embedding_tape.watch(embedded)
            logits = self._read(embedded, mask, training=True)
            loss = self._mean_loss(labels, logits)
        if size := self.options.adversarial:
            # r = size * |E| * g / |g|, with g the gradient of the loss with respect to the embeddings E of a text.
            gradient = embedding_tape.gradient(loss, embedded)
            real = tf.cast(mask, embedded.dtype)[..., None]
            scale = size * _norm(embedded * real) / (_norm(gradient) + 1e-12)
            perturbed = embedded + tf.stop_gradient(scale * gradient)
            loss += self._mean_loss(labels, self._read(perturbed, mask, training=True))
        if self.ngrams:
            linear = self.ngrams(tokens)
            loss += self._mean_loss(labels, linear)
            logits = (logits + linear) / 2
        return logits, loss

    def tokens(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Word ids of strings, string (batch,) -> ragged int64 (batch, time), the last `max_length` of each."""
        return self.words(texts)[:, -self.options.max_length :]

    def probabilities(self, texts: tf.Tensor) -> tf.Tensor:
        """Class probabilities of strings: string (batch,) -> float32 (batch, classes)."""
        return tf.nn.softmax(self(self.tokens(texts).to_tensor()))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "words": list(self.vocabulary),
            "classes": list(self.classes),
            **({"ngram_bins": self.ngrams.bins} if self.ngrams else {}),
            **as_json(self.options),
        }


def bins_for(texts: Sequence[bytes], classes: int, longest: int) -> int:
    """The number of bins for the n-grams of texts: at most one per possible n-gram, and fewer with many classes.

    Args:
        texts: The training texts.
        classes: Number of classes.
        longest: Longest n-gram, in words. A word takes at least a byte.
    """
    most = longest * sum(map(len, texts))
    return max(64, min(most, _MOST_BINS, _MOST_NGRAM_WEIGHTS // classes))


def _norm(sequences: tf.Tensor) -> tf.Tensor:
    """Norm of each text's sequence: (batch, time, units) -> (batch, 1, 1)."""
    return tf.sqrt(tf.reduce_sum(tf.square(sequences), axis=(1, 2), keepdims=True))
