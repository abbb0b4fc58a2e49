"""Smaller graphs: equal nodes and functions merged, and names without the path of scopes that they were traced in.

A trace has the same constant, shape or slice many times over (more than a third of an export's nodes), and each of its
nodes is named after all scopes around it. A server reads, optimizes and places every node before the first answer.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from rnnapps.internals import write_fingerprint
from rnnapps.serving.versions import GRAPH

# Attributes that name the functions of loops, branches and calls: these take their arguments by position.
_FUNCTIONS = ("cond", "body", "then_branch", "else_branch", "branches", "f")
# Not merged although equal by definition: inputs, and lists, which a loop fills in place unless something shares them.
_DISTINCT = ("Placeholder", "TensorList", "EmptyTensorList")


def compact(folder: Path) -> None:
    """Rewrites the graph of a SavedModel that `tf.saved_model.save` wrote; what it computes stays the same.

    Args:
        folder: The folder of the SavedModel. It must not be in use.
    """
    saved = saved_model_pb2.SavedModel.FromString((folder / GRAPH).read_bytes())
    for meta in saved.meta_graphs:
        mergeable = _mergeable(meta)
        internal = _internal_functions(meta)
        for function in meta.graph_def.library.function:
            merge_equal_nodes(function, mergeable)
            shorten_names(function, arguments=function.signature.name in internal)
        merge_equal_functions(meta, internal)
    (folder / GRAPH).write_bytes(saved.SerializeToString(deterministic=True))
    write_fingerprint(folder)


def merge_equal_nodes(function: function_pb2.FunctionDef, mergeable: Callable[[str], bool]) -> None:
    """Keeps one of several nodes of the same operation, inputs, control inputs and attributes.

    Args:
        function: The function, changed in place.
        mergeable: Whether the result of an operation depends on nothing else.
    """
    while True:
        kept: dict[bytes, node_def_pb2.NodeDef] = {}
        renamed: dict[str, str] = {}
        for number, node in enumerate(function.node_def):
            if mergeable(node.op):
                unnamed = node_def_pb2.NodeDef()
                unnamed.CopyFrom(node)
                unnamed.ClearField("name")
                unnamed.ClearField("experimental_debug_info")
                key = unnamed.SerializeToString(deterministic=True)
            else:
                key = b"%d" % number
            if key in kept:
                renamed[node.name] = kept[key].name
            else:
                kept[key] = node
        if not renamed:
            return
        remaining = [node_def_pb2.NodeDef.FromString(node.SerializeToString()) for node in kept.values()]
        del function.node_def[:]
        function.node_def.extend(remaining)
        _replace_references(function, renamed)  # which may make further nodes equal


def merge_equal_functions(meta: meta_graph_pb2.MetaGraphDef, internal: set[str]) -> None:
    """Keeps one of several functions that differ in their names only, as the two directions of a layer have them.

    Args:
        meta: The graph and its functions, changed in place.
        internal: The names of the functions that may be merged.
    """
    library = meta.graph_def.library.function
    while True:
        kept: dict[bytes, str] = {}
        renamed: dict[str, str] = {}
        for function in library:
            if function.signature.name in internal:
                unnamed = function_pb2.FunctionDef()
                unnamed.CopyFrom(function)
                unnamed.signature.ClearField("name")
                name = kept.setdefault(unnamed.SerializeToString(deterministic=True), function.signature.name)
                if name != function.signature.name:
                    renamed[function.signature.name] = name
        if not renamed:
            return
        remaining = [function for function in library if function.signature.name not in renamed]
        remaining = [function_pb2.FunctionDef.FromString(function.SerializeToString()) for function in remaining]
        del library[:]
        library.extend(remaining)
        for called in _called(meta):  # which may make their callers equal
            called.name = renamed.get(called.name, called.name)


def shorten_names(function: function_pb2.FunctionDef, *, arguments: bool) -> None:
    """Names nodes by the last part of their name, numbered where several share it.

    Args:
        function: The function, changed in place.
        arguments: Whether arguments and results may be renamed too.
    """
    signature = function.signature
    renamed: dict[str, str] = {}
    if arguments:
        for number, argument in enumerate(signature.input_arg):
            renamed[argument.name] = argument.name = f"x{number}"
        results = {result.name: f"y{number}" for number, result in enumerate(signature.output_arg)}
        for result in signature.output_arg:
            result.name = results[result.name]
        returned = {results[name]: reference for name, reference in function.ret.items()}
        function.ret.clear()
        function.ret.update(returned)
    used = {argument.name for argument in signature.input_arg}
    counts: dict[str, int] = {}
    for node in function.node_def:
        name = last = node.name.rpartition("/")[2].lstrip("_") or "node"  # no name may begin with an underscore
        while name in used:
            counts[last] = counts.get(last, 0) + 1
            name = f"{last}_{counts[last]}"
        used.add(name)
        renamed[node.name] = name
    for node in function.node_def:
        node.name = renamed[node.name]
    _replace_references(function, renamed)


def _replace_references(function: function_pb2.FunctionDef, renamed: dict[str, str]) -> None:
    def replaced(reference: str) -> str:
        """Of an input: `node:output:number`, `^node` for control, or the name of an argument."""
        if reference.startswith("^"):
            return f"^{renamed.get(reference[1:], reference[1:])}"
        name, colon, output = reference.partition(":")
        return f"{renamed.get(name, name)}{colon}{output}"

    for node in function.node_def:
        inputs = [replaced(reference) for reference in node.input if not reference.startswith("^")]
        control = dict.fromkeys(replaced(reference) for reference in node.input if reference.startswith("^"))
        node.input[:] = [*inputs, *control]
        if "_class" in node.attr:  # colocation: loc:@node
            places = node.attr["_class"].list.s
            places[:] = [b"loc:@" + replaced(place.removeprefix(b"loc:@").decode()).encode() for place in places]
    function.ret.update({name: replaced(reference) for name, reference in function.ret.items()})
    function.control_ret.update({name: replaced(reference) for name, reference in function.control_ret.items()})


def _mergeable(meta: meta_graph_pb2.MetaGraphDef) -> Callable[[str], bool]:
    """Whether an operation, by its definition in the file, has no state; calls of functions are not known there."""
    stateless = {
        operation.name
        for operation in meta.meta_info_def.stripped_op_list.op
        if not operation.is_stateful and not operation.name.startswith(_DISTINCT)
    }
    return stateless.__contains__


def _internal_functions(meta: meta_graph_pb2.MetaGraphDef) -> set[str]:
    """The functions that only other functions call: no Python object that is loaded from the file knows their names."""
    return {called.name for called in _called(meta)} - set(meta.object_graph_def.concrete_functions)


def _called(meta: meta_graph_pb2.MetaGraphDef) -> Iterator:
    """Every place where a node names a function that it calls, a `NameAttrList` of its attributes."""
    bodies = [function.node_def for function in meta.graph_def.library.function]
    for nodes in (meta.graph_def.node, *bodies):
        for node in nodes:
            for name in _FUNCTIONS:
                if name in node.attr:
                    value = node.attr[name]
                    yield from value.list.func if value.WhichOneof("value") == "list" else [value.func]
