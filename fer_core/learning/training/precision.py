"""In which arithmetic the suffix trains: as asked, or, with 'auto', bf16 where it is there and faster.

Weights, moments and losses stay float32; bf16 is autocast's. The frozen prefix never autocasts, because its
activations are shared by runs that ask for different arithmetic.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_SWITCH = threading.Condition()
_users: list[bool] = []

#: How much faster bf16 must be on a CPU to be taken, since it rounds more.
WORTH = 1.1
ROUNDS = 3


@dataclass(frozen=True)
class Precision:
    """The arithmetic used ('float32', 'tf32' or 'bf16') and why, for people."""

    used: str
    reason: str

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context in which a network's forward pass runs."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.used == "bf16")


def native_bf16() -> bool:
    """Return whether this CPU has instructions that multiply bf16."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def step_seconds(precision: Precision, network: nn.Sequential, batch: Tensor, device: torch.device) -> float:
    """Return the least time of a forward and backward pass, in seconds."""
    own = copy.deepcopy(network).to(device).train().requires_grad_(True)
    best = float("inf")
    for _ in range(ROUNDS + 1):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        with precision.autocast(device):
            loss = own(batch).float().square().mean()
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best


def resolve(
    asked: str,
    network: nn.Sequential,
    batch: Tensor,
    device: torch.device,
    *,
    native: Callable[[], bool] = native_bf16,
    seconds: Callable[[Precision, nn.Sequential, Tensor, torch.device], float] = step_seconds,
) -> Precision:
    """Decide the arithmetic for a suffix.

    'auto' times a training step of the suffix both ways, where the device multiplies bf16 itself (on a CPU AMX or
    AVX512-BF16); the caller keeps the answer, so that a resumed run trains on as it began.

    Args:
        network: the suffix; left as it was.
        batch: a batch of what enters it.
        native: whether this CPU multiplies bf16; seconds: how long a step takes.
    """
    if asked == "tf32" and device.type == "cpu":
        return Precision("float32", "TF32 exists on GPUs alone")
    if asked != "auto":
        return Precision(asked, "as asked")
    if len(network) == 1:
        return Precision("float32", "a head alone is too small for bf16 to help")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("float32", "this GPU has no bf16")
    if device.type == "cpu" and not native():
        return Precision("float32", "this CPU has neither AMX nor AVX512-BF16")
    times = {used: seconds(Precision(used, ""), network, batch, device) for used in ("float32", "bf16")}
    ratio = times["float32"] / times["bf16"]
    used = "bf16" if ratio >= WORTH else "float32"
    return Precision(used, f"measured here: a step in bf16 runs at {ratio:.2f} times float32's speed")


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Let a GPU round float32 products to TF32 exactly where the precision says so (`config.devices.prepare`).

    The switch is the process's: who asks for float32 waits until nobody rounds, and the other way round.
    """
    if device.type != "cuda":
        yield
        return
    rounds = precision.used == "tf32"
    with _SWITCH:
        _SWITCH.wait_for(lambda: not _users or torch.backends.cudnn.allow_tf32 == rounds)
        _users.append(rounds)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounds
    try:
        yield
    finally:
        with _SWITCH:
            _users.pop()
            if not _users:
                torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
            _SWITCH.notify_all()
