"""A small ONNX network that stands in for a recogniser's file."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def stand_in(path: Path, weights: np.ndarray, across: np.ndarray, *, soft: bool = False) -> Path:
    """Write a network whose outputs are (input @ across), flattened, @ weights: each pixel counts otherwise.

    Args:
        weights: (planes * side, classes) float32.
        across: (side,) float32.
        soft: give the softmax of those.
    """
    planes = len(weights) // len(across)
    nodes = [
        helper.make_node("MatMul", ["faces", "across"], ["rows"]),
        helper.make_node("Flatten", ["rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
    ]
    shape = ["batch", planes, len(across), len(across)]
    output = "shares" if soft else "logits"
    graph = helper.make_graph(
        nodes if soft else nodes[:3],
        "stand-in",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(across[:, None], "across")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
