"""Attention over an encoded sequence: what a query reads from a memory, additive and multiplicative."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
from keras import ops

from rnnapps.layers.quantized import quantized_sublayers, with_quantized_sublayers
from rnnapps.layers.recurrent_cell import Shape, Tensor
from rnnapps.layers.units import positive_units


class Attention(keras.layers.Layer):
    """Base class of `AdditiveAttention` and `MultiplicativeAttention`, which differ in how a query scores a key.

    With q_t the queries, m_s the steps of the memory and k_s their keys:

        e_ts = score(q_t, k_s)
        a_ts = exp(e_ts) / sum_s' exp(e_ts')      over the unmasked steps s'
        c_t = sum_s a_ts m_s

    The softmax is computed in float32 at least. Weights of masked steps are exactly zero, and so is the context of a
    memory without a single unmasked step. The values at masked steps must be finite.
    """

    projections: ClassVar[tuple[str, ...]] = ()  # attributes that hold Dense layers, or None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def keys(self, memory: Tensor) -> Tensor:
        """`(batch, source, units)` keys of a memory `(batch, source, features)`, to compute once per source."""
        raise NotImplementedError

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        """`(batch, time, source)` scores of queries `(batch, time, features)`."""
        raise NotImplementedError

    def call(self, query: Tensor, memory: Tensor, mask: Tensor | None = None, keys: Tensor | None = None) -> Any:
        if mask is None:
            mask = getattr(memory, "_keras_mask", None)  # Keras passes a mask on by itself only to layers of one input
        if keys is None:
            keys = self.keys(memory)
        is_single_step = len(query.shape) == 2
        scores = self.score(query[:, None] if is_single_step else query, keys)
        weights = ops.cast(masked_softmax(scores, mask), self.compute_dtype)
        context = ops.matmul(weights, memory)
        return (context[:, 0], weights[:, 0]) if is_single_step else (context, weights)

    def compute_output_shape(self, query_shape: Shape, memory_shape: Shape) -> Any:
        return (*query_shape[:-1], memory_shape[-1]), (*query_shape[:-1], memory_shape[1])

    def compute_mask(self, query: Tensor, mask: Tensor | None = None) -> Any:
        mask = getattr(query, "_keras_mask", None)  # the outputs have the steps of the query, not of the memory
        return mask, mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **quantized_sublayers(self, self.projections)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Attention:
        config = dict(config)
        quantized = config.pop("quantized", {})
        return with_quantized_sublayers(cls(**config), quantized, custom_objects)


@keras.saving.register_keras_serializable("rnnapps")
class AdditiveAttention(Attention):
    """Attention whose score is a small network of query and memory:

        e_ts = v · tanh(W q_t + U m_s)

    The keys are U m_s. All scores of a whole target at once take `batch * time * source * units` numbers.

    Args:
        units: Size of the hidden layer, a positive integer.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        query: `(batch, time, features)`, or `(batch, features)` for one step: usually the decoder's state.
        memory: `(batch, source, memory_features)`, the sequence that is read: usually the encoder's outputs.
        mask: Boolean `(batch, source)`, False at padding of the memory; if left out, the mask that came with it.
        keys: The result of `keys(memory)`, which saves the product at each step; computed if left out.

    Returns:
        The contexts `(batch, time, memory_features)` and the weights `(batch, time, source)`, both without `time` for
        a query of one step.

    Raises:
        ValueError: If `units` is not positive.

    Example:

    >>> attention = AdditiveAttention(8)
    >>> context, weights = attention(np.ones((2, 4)), np.ones((2, 5, 3)))
    >>> context.shape, weights.shape
    (TensorShape([2, 3]), TensorShape([2, 5]))

    Reference:
        Bahdanau et al., Neural machine translation by jointly learning to align and translate, ICLR 2015, A.1.2.
    """

    projections = ("query_projection", "key_projection", "score_projection")

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = positive_units(units)
        self.query_projection = _projection(self, units, "query")
        self.key_projection = _projection(self, units, "key")
        self.score_projection = _projection(self, 1, "score")

    def build(self, query_shape: Shape, memory_shape: Shape) -> None:
        _build_once(self.query_projection, query_shape)
        _build_once(self.key_projection, memory_shape)
        _build_once(self.score_projection, (None, self.units))

    def keys(self, memory: Tensor) -> Tensor:
        return self.key_projection(memory)

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        hidden = ops.tanh(self.query_projection(queries)[:, :, None] + keys[:, None])
        return self.score_projection(hidden)[..., 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("rnnapps")
class MultiplicativeAttention(Attention):
    """Attention whose score is a product of query and memory:

        e_ts = q_t · W m_s      with `units`: "general"
        e_ts = q_t · m_s        without: "dot"

    The keys are W m_s, or the memory itself.

    Args:
        units: Size of the query, to which the memory is projected; None compares a memory and a query of the same size
            as they are.
        scale: Whether scores are divided by the square root of the query's size, which keeps the softmax from
            saturating early where the query is large (Vaswani et al. 2017, section 3.2.1).
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        query: `(batch, time, features)`, or `(batch, features)` for one step: usually the decoder's state.
        memory: `(batch, source, memory_features)`, the sequence that is read: usually the encoder's outputs.
        mask: Boolean `(batch, source)`, False at padding of the memory; if left out, the mask that came with it.
        keys: The result of `keys(memory)`, which saves the product at each step; computed if left out.

    Returns:
        The contexts `(batch, time, memory_features)` and the weights `(batch, time, source)`, both without `time` for
        a query of one step.

    Raises:
        ValueError: If `units` is not positive, or if the query does not have the size of the keys.

    Example:

    >>> attention = MultiplicativeAttention(4)
    >>> context, weights = attention(np.ones((2, 7, 4)), np.ones((2, 5, 3)))
    >>> context.shape, weights.shape
    (TensorShape([2, 7, 3]), TensorShape([2, 7, 5]))

    Reference:
        Luong et al., Effective approaches to attention-based neural machine translation, EMNLP 2015, section 3.1.
    """

    projections = ("key_projection",)

    def __init__(self, units: int | None = None, scale: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = None if units is None else positive_units(units)
        self.scale = scale
        self.key_projection = None if units is None else _projection(self, units, "key")

    def build(self, query_shape: Shape, memory_shape: Shape) -> None:
        size = memory_shape[-1] if self.units is None else self.units
        if query_shape[-1] != size:
            raise ValueError(
                f"the query must have the size of the keys, {size}, or `units` must be the size of the query, got a "
                f"query of shape {tuple(query_shape)} and a memory of shape {tuple(memory_shape)}"
            )
        if self.key_projection is not None:
            _build_once(self.key_projection, memory_shape)

    def keys(self, memory: Tensor) -> Tensor:
        return memory if self.key_projection is None else self.key_projection(memory)

    def score(self, queries: Tensor, keys: Tensor) -> Tensor:
        if self.scale:
            queries = queries / math.sqrt(queries.shape[-1])
        return ops.matmul(queries, ops.swapaxes(keys, 1, 2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "scale": self.scale}


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax of `(batch, time, source)` scores over the steps at which the mask `(batch, source)` is True.

    Masked steps get zeros, and a row of masked steps only gets zeros throughout. The softmax of half-precision scores
    is computed in float32.
    """
    scores = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
    if mask is None:
        return ops.softmax(scores, axis=-1)
    mask = ops.cast(mask, "bool")[:, None]
    weights = ops.softmax(ops.where(mask, scores, -3e38), axis=-1)
    return ops.where(mask, weights, ops.zeros_like(weights))


def _projection(owner: keras.layers.Layer, units: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, use_bias=False, dtype=owner.dtype_policy, name=name)


def _build_once(projection: keras.layers.Dense, shape: Shape) -> None:
    if not projection.built:  # `keys` may have been called first, or a quantized projection loaded
        projection.build(shape)
