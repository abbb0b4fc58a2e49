"""PredictionLog messages, encoded and decoded by hand.

TensorFlow Serving's warm-up file consists of them; without warm-up the first requests to a new version take seconds.
Their classes are in `tensorflow-serving-api`, which export should not require. The messages need only a few
length-delimited fields, so they are put together from bytes here. A test reads them with the official classes.

    PredictionLog  { PredictLog predict_log = 6; }
    PredictLog     { PredictRequest request = 1; }
    PredictRequest { ModelSpec model_spec = 1; map<string, TensorProto> inputs = 2; }
    ModelSpec      { string name = 1; string signature_name = 3; }

Reference: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Mapping

_LENGTH_DELIMITED = 2


def to_bytes(model: str, signature: str, inputs: Mapping[str, bytes]) -> bytes:
    """A PredictionLog of one request; the inputs are serialised TensorProtos by name."""
    request = _field(1, _field(1, model.encode()) + _field(3, signature.encode()))
    for name, tensor in inputs.items():
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))  # an entry of a map: key and value
    return _field(6, _field(1, request))


def from_bytes(log: bytes) -> tuple[str, dict[str, bytes]]:
    """The signature and the serialised inputs of a PredictionLog.

    Raises:
        ValueError: If the message is damaged or not of the kind that `to_bytes` writes.
    """
    request = _only(_only(log, 6), 1)
    inputs = [dict(_fields(entry)) for number, entry in _fields(request) if number == 2]
    try:
        return _only(_only(request, 1), 3).decode(), {entry[1].decode(): entry[2] for entry in inputs}
    except KeyError:
        raise ValueError("an input of a warm-up request has no name or no value") from None


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _only(message: bytes, wanted: int) -> bytes:
    contents = [content for number, content in _fields(message) if number == wanted]
    if len(contents) != 1:
        raise ValueError(f"a warm-up record is not a predict request: expected one field {wanted}, got {len(contents)}")
    return contents[0]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        if tag & 7 != _LENGTH_DELIMITED:
            raise ValueError("a warm-up record is damaged, or of an unknown kind")
        size, at = _read_varint(message, at)
        if at + size > len(message):
            raise ValueError("a warm-up record is cut off")
        yield tag >> 3, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        value |= (message[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not message[at - 1] & 0x80:
            return value, at
    raise ValueError("a warm-up record is cut off")
