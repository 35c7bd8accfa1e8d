import numpy as np
import pytest
import torch

from fer_core.config.comparators import BdnnConfig, MlpConfig
from fer_core.learning.comparators.bdnn import Bdnn, distances, parameter_count, prototypes

CONFIG = BdnnConfig(hidden=(6, 5, 4))


def shaken(config: BdnnConfig | MlpConfig = CONFIG, folds: int = 2) -> Bdnn:
    """Return networks whose biases aren't 0, so that mixing them up shows."""
    model = Bdnn(config, 9, [(0, fold) for fold in range(folds)])
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for bias in [*model.forward_biases, *model.reverse_biases]:
            bias.normal_(generator=generator)
        model.class_means.normal_(generator=generator)
        model.shift.normal_(generator=generator)
        model.scale.uniform_(0.5, 2.0, generator=generator)
    return model


def test_gradients_of_both_directions_add_up_in_the_same_tensor() -> None:
    model = shaken()
    x, y = torch.randn(2, 3, 9), torch.randn(2, 3, 7)

    def gradients(*losses: torch.Tensor) -> list[torch.Tensor]:
        model.zero_grad()
        for loss in losses:
            loss.backward()
        return [weight.grad.clone() for weight in model.weights]  # type: ignore[union-attr]

    forward = gradients(model(x).square().sum())
    reverse = gradients(model.reverse(y).square().sum())
    both = gradients(model(x).square().sum(), model.reverse(y).square().sum())
    for one, other, total in zip(forward, reverse, both, strict=True):
        assert one.abs().sum() > 0
        assert other.abs().sum() > 0
        torch.testing.assert_close(total, one + other)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_both_directions_match_plain_loops(activation: str) -> None:
    config = BdnnConfig(hidden=(6, 5, 4), activation=activation)  # type: ignore[arg-type]
    model = shaken(config)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 3, 9)), rng.normal(size=(2, 3, 7))
    bend = np.tanh if activation == "tanh" else lambda value: 1.0 / (1.0 + np.exp(-value))
    weights, down, up = (
        [part.detach().double().numpy() for part in parts]
        for parts in (model.weights, model.forward_biases, model.reverse_biases)
    )
    logits = model(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    inputs = model.reverse(torch.tensor(y, dtype=torch.float32)).detach().numpy()
    for fold in range(2):
        for image in range(3):
            value = x[fold, image]
            for layer in range(4):
                value = np.array([unit @ value for unit in weights[layer][fold]]) + down[layer][fold, 0]
                value = bend(value) if layer < 3 else value
            np.testing.assert_allclose(logits[fold, image], value, rtol=1e-4, atol=1e-5)
            value = y[fold, image]
            for layer in (3, 2, 1, 0):
                value = np.array([value @ column for column in weights[layer][fold].T]) + up[layer][fold, 0]
                value = bend(value) if layer > 0 else value
            np.testing.assert_allclose(inputs[fold, image], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mean_node", [False, True])
def test_prototypes_are_the_reverse_of_one_hot_labels_in_input_units(mean_node: bool) -> None:
    model = shaken(BdnnConfig(hidden=(6, 5, 4), mean_node=mean_node))
    found = prototypes(model)
    assert found.shape == (2, 7, 9)
    for fold in range(2):
        for label in range(7):
            y = torch.zeros(2, 1, 8 if mean_node else 7)
            y[:, 0, label] = 1.0
            if mean_node:
                y[fold, 0, 7] = model.class_means[fold, label]
            expected = model.reverse(y)[fold, 0] * model.scale[fold, 0] + model.shift[fold, 0]
            np.testing.assert_allclose(found[fold, label], expected.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_distances_match_plain_loops_and_vanish_at_the_prototype() -> None:
    model = shaken()
    faces = prototypes(model)
    features = np.concatenate([faces[1], np.random.default_rng(3).normal(size=(2, 9)).astype(np.float32)])
    found = distances(model, features)
    assert found.shape == (2, 9, 7)
    np.testing.assert_allclose(np.diag(found[1, :7]), 0.0, atol=1e-3)
    scale = model.scale.numpy()
    for fold in range(2):
        for image in range(9):
            for label in range(7):
                gap = (features[image] - faces[fold, label]) / scale[fold, 0]
                assert found[fold, image, label] == pytest.approx((gap @ gap / 9) ** 0.5, abs=2e-3)


@pytest.mark.parametrize("mean_node", [False, True])
def test_parameter_count(mean_node: bool) -> None:
    config = BdnnConfig(hidden=(6, 5, 4), mean_node=mean_node)
    model = Bdnn(config, 9, [(0, 0)])
    assert parameter_count(config, 9) == sum(parameter.numel() for parameter in model.parameters())
    unused = sum(bias.numel() for bias in model.reverse_biases)
    plain = Bdnn(MlpConfig(hidden=(6, 5, 4)), 9, [(0, 0)])
    assert (
        parameter_count(MlpConfig(hidden=(6, 5, 4)), 9) == sum(p.numel() for p in plain.parameters()) - unused
    )
