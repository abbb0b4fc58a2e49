"""What the graph of an export says without being run: its signatures and its operations."""

import glob
import importlib.util
import os
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from .finding import Finding

INITIALIZER = "__saved_model_init_op"  # TensorFlow's own name among the signatures: fills the tables
# Operations that call back into the Python process that made them.
_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
# Operations of XLA, TensorRT and TPUs, which are in TensorFlow's wheel but not in TensorFlow Serving's binary.
_NOT_LINKED = ("Xla", "_Xla", "TRT", "TPU", "_TPU")


def serving_graph(export: str) -> meta_graph_pb2.MetaGraphDef:
    """The part of a SavedModel that TensorFlow Serving loads.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is damaged or has no such part.
    """
    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(export, "saved_model.pb"), "rb") as file:
        try:
            saved.ParseFromString(file.read())
        except message.DecodeError:
            raise ValueError("saved_model.pb is damaged, or not a SavedModel") from None
    for meta in saved.meta_graphs:
        if list(meta.meta_info_def.tags) == ["serve"]:
            return meta
    raise ValueError("saved_model.pb has no graph with the tag 'serve'")


def inspect(meta: meta_graph_pb2.MetaGraphDef) -> Iterator[Finding]:
    """Looks at signatures and operations."""
    yield from _signatures(meta)
    operations = _operations(meta.graph_def)
    python = sorted(operations & _PYTHON)
    yield Finding("no Python function", not python, f"the graph calls Python: {', '.join(python)}" if python else "")
    xla = sorted(_must_compile(meta.graph_def))
    yield Finding(
        "no XLA required", not xla, f"must be compiled by XLA, which the server lacks: {xla[0]}" if xla else ""
    )
    has_text_ops = load_text_ops()
    foreign = {operation for operation in operations if operation.startswith(_NOT_LINKED)}
    foreign = sorted(foreign | set(unregistered_operations(meta)) - _PYTHON)
    known = "TensorFlow or TensorFlow Text" if has_text_ops else "TensorFlow (TensorFlow Text is not installed)"
    yield Finding(
        "operations",
        not foreign,
        f"the server does not link {', '.join(foreign)}: not of {known}" if foreign else f"{len(operations)} kinds",
    )


def unregistered_operations(meta: meta_graph_pb2.MetaGraphDef) -> list[str]:
    """The operations of a graph that this process does not know."""
    return sorted(operation for operation in _operations(meta.graph_def) if op_def_registry.get(operation) is None)


def load_text_ops() -> bool:
    """Registers the operations of TensorFlow Text, which the server links, without running its Python code.

    Returns:
        Whether TensorFlow Text is installed.
    """
    package = importlib.util.find_spec("tensorflow_text")
    if package is None or package.origin is None:
        return False
    folder = os.path.join(os.path.dirname(package.origin), "python", "ops")
    for library in sorted(glob.glob(os.path.join(folder, "_*.so"))):
        tf.load_op_library(library)
    return True


def _operations(graph: graph_pb2.GraphDef) -> set[str]:
    functions = {function.signature.name for function in graph.library.function}
    return {node.op for node in _nodes(graph)} - functions


def _signatures(meta: meta_graph_pb2.MetaGraphDef) -> Iterator[Finding]:
    signatures = {name: signature for name, signature in meta.signature_def.items() if name != INITIALIZER}
    if "serving_default" not in signatures:
        yield Finding("signatures", False, f"no serving_default; there are {', '.join(signatures) or 'none'}")
    for name, signature in signatures.items():
        faults = []
        for key, tensor in signature.inputs.items():
            if tensor.tensor_shape.unknown_rank:
                faults.append(f"input {key!r} has no rank")
            elif tensor.tensor_shape.dim and tensor.tensor_shape.dim[0].size >= 0:
                faults.append(f"input {key!r} has a fixed batch of {tensor.tensor_shape.dim[0].size}")
        described = f"{_described(signature.inputs)} -> {_described(signature.outputs)}"
        yield Finding(f"signature {name}", not faults, "; ".join(faults) or described)


def _described(tensors) -> str:
    return ", ".join(f"{name} {_kind(tensor)}" for name, tensor in sorted(tensors.items()))


def _kind(tensor: meta_graph_pb2.TensorInfo) -> str:
    sizes = ["?" if size.size < 0 else str(size.size) for size in tensor.tensor_shape.dim]
    return f"{tf.dtypes.as_dtype(tensor.dtype).name}({', '.join(sizes)})"


def _nodes(graph: graph_pb2.GraphDef) -> Iterator:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _must_compile(graph: graph_pb2.GraphDef) -> Iterator[str]:
    """Names of the functions and operations that insist on XLA."""
    for node in _nodes(graph):
        if "_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b:
            yield node.attr["f"].func.name or node.name
    for function in graph.library.function:
        if "_XlaMustCompile" in function.attr and function.attr["_XlaMustCompile"].b:
            yield function.signature.name
