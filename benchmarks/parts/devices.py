"""The `--device` of benchmarks, and clocks that read only once the device has done what it was given."""

import argparse
import os
from collections.abc import Callable

Clock = Callable[[], float]


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`: cpu, or cuda:0 on a GPU host."""
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0")


def hand_on(device: str) -> None:
    """Have every process that is started from here compute on this device."""
    os.environ["FER_DEVICE"] = device


def waiting(clock: Clock, device: str) -> Clock:
    """Return a clock that lets a GPU finish before it is read."""
    if not device.startswith("cuda"):
        return clock

    def read() -> float:
        import torch

        torch.cuda.synchronize(device)
        return clock()

    return read
