from pathlib import Path

import numpy as np
import pytest
import torch
from report_case import Recorder
from training_case import CPU, crops_and_labels, run_config, small_chain

from fer_core.config.run import RunConfig
from fer_core.errors import Cancelled
from fer_core.learning.inputs.prefix import Pass, activations, outputs, take
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.transfer import Chain
from fer_core.storage.artifacts import Artifacts

CONFIG = run_config("efficientnet_lite0", 3, "imagenet")


def cut(
    block: str,
    artifacts: Artifacts,
    *,
    crops: np.ndarray | None = None,
    config: RunConfig = CONFIG,
    report: Recorder | None = None,
    chain: Chain | None = None,
) -> torch.Tensor:
    return activations(
        chain or small_chain(config),
        crops_and_labels()[0] if crops is None else crops,
        block,
        config=config,
        artifacts=artifacts,
        report=report or Recorder(),
        device=CPU,
    )


def test_activations_are_what_the_blocks_compute(tmp_path: Path) -> None:
    crops, _ = crops_and_labels(21)
    chain = small_chain(CONFIG)
    x = to_input(crops, chain.row)
    with torch.no_grad():
        for block in list(chain)[:6]:
            x = block.eval()(x)
    found = cut("stage6", Artifacts(tmp_path), crops=crops)
    assert found.shape == x.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(found, x, atol=1e-4)


def test_the_next_pass_is_ready_before_the_last_one_is_handed_on(tmp_path: Path) -> None:
    ready: list[int] = []

    class Recorded:
        def apply(self, crops: np.ndarray, places: np.ndarray) -> np.ndarray:
            ready.append(len(places))
            return crops

    crops, rows, chain = crops_and_labels(40)[0], np.arange(40), small_chain(CONFIG)
    passed = Pass(CONFIG, "", chain.row.blocks[0], "stage6", Recorded())
    chunks = outputs(passed, rows, chain, crops, Artifacts(tmp_path), CPU)
    first = next(chunks)
    assert ready == [16, 16, 8]
    found = np.concatenate([first, *chunks])
    expected = cut("stage6", Artifacts(tmp_path), crops=crops, chain=chain)
    assert np.array_equal(found, expected.permute(0, 2, 3, 1).numpy())


def test_an_earlier_boundary_feeds_a_later_one_with_the_same_bits(tmp_path: Path) -> None:
    direct = {block: cut(block, Artifacts(tmp_path / block)) for block in ("stage7", "fc")}
    artifacts = Artifacts(tmp_path / "chained")
    cut("stage6", artifacts)
    black = np.zeros_like(crops_and_labels()[0])  # pixels are not looked at again
    for block, expected in direct.items():
        assert torch.equal(cut(block, artifacts, crops=black), expected)


def test_an_image_has_the_same_bits_in_any_company(tmp_path: Path) -> None:
    crops, _ = crops_and_labels(37)
    whole = cut("fc", Artifacts(tmp_path / "whole"), crops=crops)
    order = np.random.default_rng(0).permutation(37)
    assert torch.equal(cut("fc", Artifacts(tmp_path / "mixed"), crops=crops[order]), whole[order])
    assert torch.equal(cut("fc", Artifacts(tmp_path / "one"), crops=crops[5:6]), whole[5:6])


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    with pytest.raises(Cancelled):
        cut("fc", artifacts, report=Recorder(cancel_at_check=2))
    assert artifacts.keys("activations") == []
    cut("fc", artifacts)


def test_writing_into_them_does_not_reach_the_file(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    first = cut("fc", artifacts)
    before = first.clone()
    first.zero_()
    assert torch.equal(cut("fc", artifacts), before)


def test_take_copies_rows_in_their_layout() -> None:
    maps = torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    rows = torch.tensor([2, 0, 2])
    found = take(maps, rows)
    assert torch.equal(found, maps[rows])
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(take(maps[:, :, 0, 0], rows), maps[rows][:, :, 0, 0])
