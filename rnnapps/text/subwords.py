"""Subwords: strings to ids of a vocabulary learnt from text and back, in the graph.

The vocabulary is a SentencePiece unigram model. A character without a piece of its own is spelt in UTF-8 bytes, so no
character is unknown. TensorFlow Text does the work in the graph, and TensorFlow Serving links its ops.
"""

from __future__ import annotations

import base64
import io
import pathlib
import tempfile
import unicodedata
import zlib
from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from rnnapps.errors import UserError
from rnnapps.extras import from_extra

PAD, UNKNOWN, START, END = 0, 1, 2, 3
SMALLEST = 512  # 4 special ids, 256 bytes, and room for letters
_THREADS = 4  # constant, since the sums of the training depend on it
_LONGEST_LINE = 2**15  # bytes; longer lines add nothing to a vocabulary
_SENTENCES = 2_000_000  # sentences sampled from larger texts
_CHARACTER_COVERAGE = 0.9999  # the rarest characters are spelt in bytes rather than given a place each
# Control characters and the line separators become spaces; the no-break spaces of French typography stay.
_SPACES = (*range(0x01, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)


def train_subwords(texts: Iterable[str | bytes], size: int, *, seed: int = 0) -> bytes:
    """Learns a subword vocabulary.

    Case, punctuation and symbols such as ½ or … are kept. Runs of spaces, tabs and line breaks become one space, spaces
    at the ends are removed, and letters followed by combining accents are composed. Every digit is a piece of its own,
    so that unseen numbers are spelt like all others.

    Args:
        texts: The training texts, one sentence each, UTF-8; for a joint vocabulary those of both languages.
        size: Number of ids of the vocabulary, at least 512. A small text may give fewer; see `Subwords.size`.
        seed: Draws the sample of sentences if there are more than two million.

    Returns:
        The model for `Subwords`, a serialised SentencePiece protocol buffer. The same texts give the same model.

    Raises:
        UserError: The package sentencepiece is not installed, `size` is too small for the letters of the texts, or
            there is no text.

    Example:
        >>> subwords = Subwords(train_subwords(["Two dogs run.", "A dog sleeps."] * 9, size=512))
        >>> 260 < subwords.size <= 512
        True

    Reference:
        Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword Candidates",
        ACL 2018.
    """
    sentencepiece = from_extra("sentencepiece", extra="translation", purpose="learning subwords")
    if size < SMALLEST:
        raise UserError(f"a vocabulary needs {SMALLEST} subwords or more, for instance 6000, got {size}")
    sentencepiece.set_random_generator_seed(seed)
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder, "normalisation.tsv")
        rules.write_text(_normalisation_rules())
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(text for text in texts if text.strip()),
                model_writer=model,
                model_type="unigram",
                vocab_size=size,
                hard_vocab_limit=False,
                byte_fallback=True,
                split_digits=True,
                character_coverage=_CHARACTER_COVERAGE,
                normalization_rule_tsv=str(rules),
                pad_id=PAD,
                unk_id=UNKNOWN,
                bos_id=START,
                eos_id=END,
                input_sentence_size=_SENTENCES,
                max_sentence_length=_LONGEST_LINE,
                num_threads=_THREADS,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"cannot learn a vocabulary of {size} subwords from these texts: {reason}") from error
    return _without_path(model.getvalue())


def _without_path(model: bytes) -> bytes:
    """A SentencePiece model without the name of the temporary file of its normalisation rules, which it also holds.

    The two messages are described here as far as needed: sentencepiece's own description of them requires a newer
    protobuf than other packages allow.
    """
    file = descriptor_pb2.FileDescriptorProto(name="rnnapps/text/subwords.proto", package="rnnapps")
    specification, whole = file.message_type.add(name="NormalizerSpec"), file.message_type.add(name="ModelProto")
    optional = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    specification.field.add(name="normalization_rule_tsv", number=6, label=optional, type=9)  # string
    whole.field.add(name="normalizer_spec", number=3, label=optional, type=11, type_name=".rnnapps.NormalizerSpec")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("rnnapps.ModelProto"))()
    message.ParseFromString(model)
    message.normalizer_spec.ClearField("normalization_rule_tsv")
    return message.SerializeToString(deterministic=True)


def _normalisation_rules() -> str:
    """SentencePiece's table of replacements, as code points in hexadecimal."""
    rules = [f"{code:X}\t20" for code in _SPACES]
    for code in (*range(0x80, 0xAC00), *range(0xF900, 0x20000)):
        composed = chr(code)
        parts = unicodedata.normalize("NFD", composed)
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == composed:
            rules.append(f"{' '.join(f'{ord(part):X}' for part in parts)}\t{code:X}")
    return "\n".join(rules) + "\n"


class Subwords:
    """Strings to subword ids and back, in the graph.

    The vocabulary becomes part of every graph that uses it; a SavedModel of such a graph loads with
    `import tensorflow_text` and without this package.

    Args:
        model: What `train_subwords` returned.

    Attributes:
        model: The given `model`.
        size: Number of ids of the vocabulary: `PAD`, `UNKNOWN`, `START`, `END`, 256 bytes, and the pieces.

    Raises:
        UserError: The package tensorflow-text is not installed.
        ValueError: `model` is not a SentencePiece model.

    Example:
        >>> subwords = Subwords(train_subwords(["Two dogs run.", "A dog sleeps."] * 9, size=512))
        >>> subwords.decode(subwords.encode(tf.constant(["A dog runs.", "犬 🐕"]))).numpy()[1].decode()
        '犬 🐕'
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        try:
            with tf.init_scope():
                self.size = int(self._tokenizer().vocab_size())
        except tf.errors.OpError as error:
            raise ValueError(f"not a SentencePiece model: {error.message}") from error

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The ids of the most probable segmentation, without `START` and `END`.

        Args:
            texts: String `(batch,)`, UTF-8; invalid bytes count as U+FFFD.

        Returns:
            Ragged int32 `(batch, None)`; an empty or blank text has no ids.
        """
        return self._tokenizer().tokenize(texts)

    def decode(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """The texts that ids spell; `PAD`, `START` and `END` are skipped.

        Args:
            ids: Int32, ragged `(batch, None)` or dense `(batch, time)`.

        Returns:
            String `(batch,)`, always valid UTF-8: bytes that spell no character become U+FFFD.
        """
        return self._tokenizer().detokenize(_without_special(ids))

    def pieces(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """The pieces as text, strings of the shape of `ids`; ▁ stands for the space before a word."""
        return self._tokenizer().id_to_string(ids)

    def _tokenizer(self) -> Any:
        """A tokenizer of TensorFlow Text, created anew for each graph.

        Its resource belongs to the operation that creates it: a tokenizer of the eager context is lost when
        `tf.random.set_seed` clears the context's cache.
        """
        tensorflow_text = from_extra("tensorflow_text", extra="translation", purpose="subwords in the graph")
        return tensorflow_text.SentencepieceTokenizer(self.model, out_type=tf.int32)

    def to_text(self) -> str:
        """The model as ASCII, for a `get_config`; see `from_text`."""
        return base64.b64encode(zlib.compress(self.model, 9)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Subwords:
        """The subwords that `to_text` wrote.

        Args:
            text: What `to_text` returned.

        Raises:
            ValueError: `text` was not written by `to_text`.
        """
        try:
            return cls(zlib.decompress(base64.b64decode(text, validate=True)))
        except zlib.error as error:
            raise ValueError(f"not the text of a SentencePiece model: {error}") from error


def _without_special(ids: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
    if not isinstance(ids, tf.RaggedTensor):
        ids = tf.RaggedTensor.from_tensor(ids)
    return tf.ragged.boolean_mask(ids, (ids != PAD) & (ids != START) & (ids != END))
