"""Non-maximum suppression and box arithmetic of MTCNN: float32, in the order the reference rounds in."""

import numpy as np
import torch
from torchvision.ops import nms


def suppress_iou(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Indices kept by greedy suppression over IoU, highest score first.

    Args:
        boxes: (n, 4) float32; scores: (n,) float32; threshold: IoU above which the weaker box goes.

    Returns:
        (m,) int64. Ties keep their order (torchvision.ops.nms).
    """
    return nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).numpy()


def suppress_min(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Indices kept by greedy suppression over intersection by the smaller area, highest score first.

    Args:
        boxes: (n, 4) float32, whose far edges count as pixels inside; scores: (n,) float32.

    Returns:
        (m,) int64. O-Net's last step in Zhang et al. 2016's code and in facenet-pytorch (same sort).
    """
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = np.argsort(scores)
    keep = []
    while order.size:
        best, rest = order[-1], order[:-1]
        keep.append(best)
        wide = np.maximum(0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1)
        tall = np.maximum(0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1)
        order = rest[wide * tall / np.minimum(area[best], area[rest]) <= threshold]
    return np.array(keep, dtype=np.int64)


def regress(boxes: np.ndarray, offsets: np.ndarray, inclusive: bool) -> np.ndarray:
    """Boxes moved by a stage's offsets, which count in box widths and heights.

    Args:
        boxes, offsets: (n, 4) float32.
        inclusive: whether a side is x2 - x1 + 1 (R- and O-Net) or x2 - x1 (P-Net), as in the reference.
    """
    side = boxes[:, 2:] - boxes[:, :2]
    if inclusive:
        side = side + 1
    return boxes + offsets * np.concatenate([side, side], axis=1)


def square(boxes: np.ndarray) -> np.ndarray:
    """(n, 4) boxes grown to squares of their longer side about their centres."""
    side = boxes[:, 2:] - boxes[:, :2]
    longest = side.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + side * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)


def clip(boxes: np.ndarray, height: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Pixels of each box that lie in its frame: (n, 4) int64 x1, y1, x2, y2, far edges past the end.

    A box with x2 <= x1 or y2 <= y1 lies outside. Boxes count from 1, as in the reference.
    """
    x1, y1, x2, y2 = np.trunc(boxes).astype(np.int64).T
    near = np.maximum(x1, 1) - 1, np.maximum(y1, 1) - 1
    return np.stack([*near, np.minimum(x2, width), np.minimum(y2, height)], axis=1)
