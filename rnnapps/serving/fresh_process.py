"""Run as a script by `rnnapps.serving.check`: loads a SavedModel with TensorFlow alone and says what it found."""

import base64
import json
import os
import sys

FORBIDDEN_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}  # need the Python process that made them


def main() -> None:
    """Reads the question (JSON) from stdin, writes the findings (JSON) to stdout; a failure's last line says why."""
    question = json.load(sys.stdin)
    for package in ("keras", "rnnapps"):
        sys.modules[package] = None  # importing it raises ImportError
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    operations = graph_operations(question["export"])
    if python := sorted(FORBIDDEN_OPS & set(operations)):
        sys.exit(f"the graph calls Python ({', '.join(python)})")
    if must_compile(question["export"]):
        sys.exit("a function asks for XLA (_XlaMustCompile), which TensorFlow Serving does not link")
    model = tf.saved_model.load(question["export"], tags=["serve"])
    answers = model.signatures[question["signature"]](
        **{name: tf.constant([_value(value) for value in values]) for name, values in question["requests"].items()}
    )
    largest = 0.0
    for name, expected in question["answers"].items():
        answer = answers[name].numpy()
        if answer.dtype == object:
            if [text.decode() for text in answer.tolist()] != expected:
                sys.exit(f"output {name!r} differs from the run's")
        else:
            largest = max(largest, float(abs(answer - expected).max(initial=0)))
    if not largest <= question["tolerance"]:
        sys.exit(f"answers differ from the run's by up to {largest:.2g}")
    print(json.dumps({"ops": len(operations), "requests": len(expected), "largest_difference": largest}))


def _value(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def graph_operations(export: str) -> list[str]:
    """The types of all operations in the graph of a SavedModel and in its functions."""
    return [node.op for graph in _graphs(export) for node in _nodes(graph)]


def must_compile(export: str) -> bool:
    """Whether a function or an operation of a SavedModel insists on XLA."""
    return any(
        holder.attr["_XlaMustCompile"].b
        for graph in _graphs(export)
        for holder in [*_nodes(graph), *graph.library.function]
        if "_XlaMustCompile" in holder.attr
    )


def _graphs(export: str):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    with open(os.path.join(export, "saved_model.pb"), "rb") as file:
        saved.ParseFromString(file.read())
    return [meta.graph_def for meta in saved.meta_graphs]


def _nodes(graph):
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


if __name__ == "__main__":
    main()
