"""WHAT the models are that transfer learning is compared with: descriptors, SVM, BDNN and its plain control.

Each model's `kind` names it beside `TransferConfig.kind`, so that field says which model a run has.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Config, chained, later, where


class PixelsConfig(Config):
    """The crop as `side` x `side` gray pixels: the paper's M^2 inputs (table 1; M itself is not stated)."""

    kind: Literal["pixels"] = "pixels"
    side: int = Field(32, ge=4, le=160)


class PhogConfig(Config):
    """Pyramid of histograms of oriented gradients (Bosch, Zisserman and Munoz 2007).

    `levels` is the finest level L of l = 0..L: level 0, the whole crop, counts too, so L = 3 means
    1 + 4 + 16 + 64 = 85 cells and, with 8 bins, 680 figures. `degrees` is the range of the orientations:
    180 without the sign of the contrast, 360 with it.
    """

    kind: Literal["phog"] = "phog"
    levels: Literal[3, 4] = 3
    bins: Literal[8, 16] = 8
    degrees: Literal[180, 360] = 360


class LpqConfig(Config):
    """Local phase quantisation, decorrelated (Ojansivu and Heikkila 2008), on `blocks` x `blocks` blocks.

    `window` is in pixels, odd; `correlation` is the assumed correlation of neighbouring pixels (their rho).
    """

    kind: Literal["lpq"] = "lpq"
    window: Literal[3, 5, 7, 9] = 7
    blocks: Literal[3, 4] = 4
    correlation: float = Field(0.9, gt=0.0, lt=1.0)


class LpqPhogConfig(Config):
    """LPQ and PHOG one after the other: what SFEW's person-independent baseline reads (Dhall et al. 2011)."""

    kind: Literal["lpq+phog"] = "lpq+phog"
    lpq: LpqConfig = LpqConfig()
    phog: PhogConfig = PhogConfig()


#: What is computed from a crop.
ImageInputs = PixelsConfig | PhogConfig | LpqConfig | LpqPhogConfig

#: What Dhall et al. (2011) computed: PHOG and LPQ for 46.28 and 43.71 % in random folds, both for SPI's 19.0 %.
#: Their faces were cut by another detector (MTCNN is of 2016); that their LPQ window was 7, as here, is not known.
DHALL: dict[str, ImageInputs] = {
    "phog": PhogConfig(levels=3, bins=8),
    "lpq": LpqConfig(blocks=3),
    "lpq+phog": LpqPhogConfig(lpq=LpqConfig(blocks=4), phog=PhogConfig(levels=4, bins=16)),
}


class TableConfig(Config):
    """A ready sheet of principal components (`datasets.feature_table`) instead of the images.

    `fingerprint` is `FeatureTable.fingerprint()`: a hash of its rows. `file` is where the sheet lies.
    """

    kind: Literal["table"] = "table"
    columns: Literal["lpq", "phog", "both"] = "both"
    fingerprint: str = Field("", pattern=r"^([0-9a-f]{16})?$")
    file: str | None = where(None)


Inputs = Annotated[ImageInputs | TableConfig, Field(discriminator="kind")]


class SvmConfig(Config):
    """Standardise, keep `variance` of the variance by PCA, then an RBF support vector machine.

    C and gamma are chosen by `inner_folds`-fold cross-validation inside the training part of each fold;
    gammas are multiples of 1 / (dimensions x variance), scikit-learn's 'scale'.
    """

    kind: Literal["svm"] = "svm"
    inputs: Inputs = PhogConfig()
    variance: float = Field(0.98, gt=0.0, lt=1.0)
    costs: tuple[float, ...] = Field((0.1, 1.0, 10.0, 100.0), min_length=1, max_length=20)
    gammas: tuple[float, ...] = Field((0.25, 1.0, 4.0), min_length=1, max_length=20)
    inner_folds: int = Field(3, ge=2, le=10)

    @model_validator(mode="after")
    def _grid_is_positive_and_rising(self) -> Self:
        for name, values in (("costs", self.costs), ("gammas", self.gammas)):
            if min(values) <= 0 or list(values) != sorted(set(values)):
                raise ValueError(f"{name} must be positive, different and rising")
        return self


#: Of one hidden layer.
Units = Annotated[int, Field(ge=1, le=4096)]


class _DenseConfig(Config):
    """What the BDNN and its control share; lr, epochs and three hidden layers are the paper's (table 1).

    The paper states neither layer sizes nor the activation: 64-32-16 and tanh, whose outputs are centred
    like the standardised inputs that the reverse direction has to reach. Whether the paper's inputs were
    standardised it doesn't say: its M is 'the number of features', so a sheet of them may have gone in raw.
    """

    inputs: Inputs = PixelsConfig()
    hidden: tuple[Units, Units, Units] = (64, 32, 16)
    activation: Literal["tanh", "sigmoid"] = "tanh"
    lr: float = Field(0.03, gt=0.0, le=10.0)
    epochs: int = Field(200, ge=1, le=10_000)
    standardise: bool = later(
        True, description="inputs in standard units of the training part; else as they are"
    )


class BdnnConfig(_DenseConfig):
    """Bidirectional neural network (Nejad and Gedeon 1995; paper, section 1.2 and table 1).

    `mean_node` adds the output that makes the map invertible: its target is the mean of the inputs. With
    `alternate` m >= 1, m forward steps take turns with m reverse steps, each direction with its
    Adam; with 0 every step descends forward loss + `reverse_weight` x reverse loss.
    """

    kind: Literal["bdnn"] = "bdnn"
    mean_node: bool = False
    alternate: int = Field(0, ge=0, le=1000)
    reverse_weight: float = Field(1.0, gt=0.0, le=1000.0)

    def hashed(self) -> dict[str, object]:
        """Return what decides the result; the weight plays no part when the directions take turns."""
        fields = super().hashed()
        if self.alternate:
            fields.pop("reverse_weight")
        return fields


class MlpConfig(_DenseConfig):
    """The control: the same layers, loss and optimiser, forward only."""

    kind: Literal["mlp"] = "mlp"


def descriptor_key(crops_key: str, inputs: ImageInputs) -> str:
    """Return the key of one descriptor of one set of crops: 16 hex digits, chained to the crops' key."""
    return chained("descriptors", crops_key, inputs.hashed())
