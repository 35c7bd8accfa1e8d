import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from facenet_pytorch import InceptionResnetV1

from fer_core.config.run import TransferConfig
from fer_core.errors import WeightsError
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.efficientnet_lite import EfficientNetLite0
from fer_core.learning.networks.transfer import BUILDERS, Chain, build, reset_head
from fer_core.learning.networks.weights import load_weights, read_tensors


def own_file(path: Path, tensors: dict[str, torch.Tensor], backbone: str) -> TransferConfig:
    torch.save(tensors, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return TransferConfig(backbone=backbone, weights=f"sha256:{sha256}", weights_file=str(path))


@pytest.mark.parametrize("name", BACKBONES)
def test_the_table_agrees_with_the_networks(name: str) -> None:
    row = BACKBONES[name]
    with torch.device("meta"):
        _, blocks = BUILDERS[name]()
        blocks["fc"] = torch.nn.Linear(blocks["fc"].in_features, 7)  # type: ignore[arg-type]
    assert tuple(blocks) == row.blocks
    assert row.cam_block is None or row.cam_block in blocks
    chain = Chain(row, blocks)
    assert sum(value.numel() for value in chain.parameters()) == row.parameters
    for n in (1, 2, 3):
        assert sum(p.numel() for p in chain.suffix(row.boundary(n)).parameters()) == row.trainable[n]
        suffix = row.blocks[row.blocks.index(row.boundary(n)) :]
        learning = [block for block in suffix if list(blocks[block].parameters())]
        assert tuple(learning) == row.unfreeze[n]


@pytest.mark.parametrize("name", BACKBONES)
def test_the_table_knows_how_much_enters_the_suffix(name: str) -> None:
    row = BACKBONES[name]
    with torch.device("meta"):
        _, blocks = BUILDERS[name]()
        chain = Chain(row, blocks).eval()
        for n in (1, 2, 3):
            image = torch.empty(1, 3, row.input_size, row.input_size)
            assert chain.prefix(row.boundary(n))(image).numel() == row.boundary_values[n]


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if row.weights and row.weights.url])
def test_sources_are_those_of_the_libraries(name: str) -> None:
    source = BACKBONES[name].weights
    assert source is not None
    if "torchvision" not in source.title:
        return
    found = torchvision.models.get_weight(source.title.split()[-1])
    assert found.url == source.url
    if name != "inception_v3":
        assert tuple(found.transforms().mean) == BACKBONES[name].mean
        assert tuple(found.transforms().std) == BACKBONES[name].std


@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in ("vgg16", "efficientnet_lite0")])
def test_a_chain_computes_what_its_network_does(name: str) -> None:
    torch.manual_seed(0)
    net, blocks = BUILDERS[name]()
    side = 224 if name == "vit_b_16" else 96
    x = torch.randn(2, 3, side, side)
    assert torch.allclose(net.eval()(x), torch.nn.Sequential(*blocks.values()).eval()(x), atol=1e-4)


def test_the_plain_network_is_resnet18_without_shortcuts() -> None:
    chain = build(TransferConfig(backbone="resnet18_plain", weights="none"), None)
    block, x = chain.layer2[0], torch.randn(2, 64, 8, 8)
    expected = block.relu(block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))))
    assert torch.equal(block(x), expected)
    names = dict(chain.named_parameters())
    assert not any("downsample" in name for name in names)
    whole = dict(build(TransferConfig(weights="none"), None).named_parameters())
    assert {name for name in whole if "downsample" not in name} == set(names)


def test_lite0_sees_what_is_in_a_photograph() -> None:
    from sklearn.datasets import load_sample_image
    from torchvision.models._meta import _IMAGENET_CATEGORIES as NAMES

    tensors = load_weights(TransferConfig(backbone="efficientnet_lite0"), None)
    assert tensors is not None
    net = EfficientNetLite0()
    net.load_state_dict(tensors, strict=True)
    chain = torch.nn.Sequential(*net.chain().values()).eval()
    row = BACKBONES["efficientnet_lite0"]
    for name, seen in (("china.jpg", "palace"), ("flower.jpg", "daisy")):
        photo = load_sample_image(name)
        middle = (photo.shape[1] - photo.shape[0]) // 2
        square = photo[:, middle : middle + photo.shape[0]]
        with torch.no_grad():
            logits = chain(to_input(square[None], row))[0]
        assert seen in [NAMES[index] for index in logits.topk(3).indices]


def test_lite0_pads_as_tensorflow_does() -> None:
    """SAME padding at stride 2: the output is ceil(size / 2) and the odd pixel lies at the end."""
    conv = EfficientNetLite0()._conv_stem
    with torch.no_grad():
        conv.weight.fill_(1.0)
    even = conv(torch.ones(1, 3, 4, 4))[0, 0]
    assert even.tolist() == [[27.0, 18.0], [18.0, 12.0]]
    assert conv(torch.ones(1, 3, 5, 5)).shape[-2:] == (3, 3)


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    first = build(TransferConfig(weights="none"), None)
    drawn = torch.rand(3)
    second = build(TransferConfig(weights="none"), None)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))


def test_heads_differ_by_seed_and_fold_alone() -> None:
    chain = build(TransferConfig(weights="none"), None)

    def head(seed: int, fold: int) -> np.ndarray:
        reset_head(chain, seed=seed, fold=fold)
        return chain.fc.weight.detach().numpy().copy()

    assert np.array_equal(head(0, 1), head(0, 1))
    heads = [head(seed, fold) for seed in (0, 1) for fold in (0, 1)]
    assert len({own.tobytes() for own in heads}) == 4
    assert np.abs(heads).max() <= 512**-0.5
    assert np.std(heads) == pytest.approx(512**-0.5 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("classes", [1000, 7, None])
def test_a_file_of_the_backbone_loads_whatever_its_head(classes: int | None, tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = torchvision.models.resnet18(num_classes=classes or 3)
    tensors = {k: v for k, v in net.state_dict().items() if classes or not k.startswith("fc.")}
    chain = build(own_file(tmp_path / "own.pth", tensors, "resnet18"), None)
    assert torch.equal(chain.layer4[1].conv2.weight, net.layer4[1].conv2.weight)
    assert torch.equal(chain.stem[1].running_var, net.bn1.running_var)
    assert chain.fc.weight.shape == (7, 512)
    assert not any(value.is_meta for value in chain.state_dict().values())


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    model = own_file(tmp_path / "own.pth", torchvision.models.resnet18().state_dict(), "resnet50")
    with pytest.raises(WeightsError, match=r"must fit ResNet-50 .*differ, the first"):
        build(model, None)


def test_facenets_own_checkpoint_layout_loads(tmp_path: Path) -> None:
    net = InceptionResnetV1(classify=True, num_classes=8631).eval()
    chain = build(own_file(tmp_path / "own.pt", net.state_dict(), "inception_resnet_v1"), None)
    net.classify, x = False, torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        embedding = torch.nn.functional.normalize(chain.prefix("fc")(x))
        assert torch.allclose(embedding, net(x), atol=1e-5)


def test_the_packaged_file_is_the_published_one() -> None:
    source = BACKBONES["efficientnet_lite0"].weights
    assert source is not None
    assert source.sha256.startswith(source.file.split("-")[-1].split(".")[0])
    from fer_core.learning.networks.weight_status import weight_status

    path = weight_status("efficientnet_lite0", "imagenet", None).path
    assert path is not None
    assert set(read_tensors(path, source.sha256)) == set(EfficientNetLite0().state_dict())


SMALL = BUILDERS["mini_xception"]


@pytest.mark.parametrize(
    ("before", "beside"),
    [
        ("", {}),
        ("module.", {}),
        ("_orig_mod.", {}),
        ("backbone.", {"head.weight": torch.zeros(8, 9), "head.bias": torch.zeros(8)}),
        ("module.backbone.", {"module.classifier.0.weight": torch.zeros(8, 9)}),
        ("model.", {"fc.weight": torch.zeros(8, 1152), "fc.bias": torch.zeros(8)}),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "state_dict", "model", "model_state_dict"])
def test_checkpoints_are_read_as_training_code_leaves_them(
    tmp_path: Path, before: str, beside: dict[str, torch.Tensor], wrapper: str
) -> None:
    net, _ = SMALL()
    body = {name: value for name, value in net.state_dict().items() if not name.startswith("fc.")}
    eight = {"fc.weight": torch.zeros(8, 1152), "fc.bias": torch.zeros(8)}
    named = {before + name: value for name, value in (body | eight).items()} | beside
    model = own_file(
        tmp_path / "own.pth", {wrapper: named, "epoch": 3} if wrapper else named, "mini_xception"
    )
    found = build(model, None).state_dict()
    assert all(torch.equal(found[name], value) for name, value in body.items() if "num_batches" not in name)
    assert found["fc.weight"].shape == (7, 1152)


def test_a_network_trained_on_bgr_answers_rgb_alike(tmp_path: Path) -> None:
    net, _ = BUILDERS["resnet18"]()
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    file = own_file(tmp_path / "own.pth", net.state_dict(), "resnet18")
    plain, turned = (
        build(TransferConfig(**file.model_dump() | {"mean": mean, "std": std, "channels": order}), None)
        for order in ("rgb", "bgr")
    )
    crops = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)
    with torch.inference_mode():
        fed_bgr = plain.prefix("layer1")(to_input(np.ascontiguousarray(crops[..., ::-1]), plain.row))
        fed_rgb = turned.prefix("layer1")(to_input(crops, turned.row))
    torch.testing.assert_close(fed_rgb, fed_bgr)
    gray = own_file(tmp_path / "small.pth", SMALL()[0].state_dict(), "mini_xception")
    with pytest.raises(WeightsError, match="reads grey"):
        build(gray.model_copy(update={"channels": "bgr"}), None)
