"""WHAT answers without training here: recognisers, which were trained elsewhere, and votes of finished runs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import CLASSES, Config, where

RunKey = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

#: Pixel values scaled to 0..1.
Channel = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class OnnxConfig(Config):
    """An expression network in an ONNX file that a user added: its bytes, and how it must be fed and read.

    Attributes:
        sha256: of the file.
        labels: for each output the class it means, '-' for one that is left out; the others are then scaled to 1.
        size: side of the square input in pixels.
        channels: order of the input's colours; 'gray' is ITU-R BT.601's luma.
        mean, std: of the channels in the network's order, one for all or one each, for pixel values in 0..1.
        layout: whether channels come before or after height and width.
        output: whether the file gives logits or probabilities.
        aligned: whether faces are turned to the five-point template (`faces.crops.TEMPLATE`) unless asked otherwise.
        name: what people call it.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    labels: tuple[str, ...] = Field(min_length=2, max_length=64)
    size: int = Field(ge=32, le=512)
    channels: Literal["rgb", "bgr", "gray"]
    mean: Channel = (0.0,)
    std: Channel = (1.0,)
    layout: Literal["nchw", "nhwc"] = "nchw"
    output: Literal["logits", "probabilities"] = "logits"
    aligned: bool = where(False)
    name: str = where("")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if wrong := set(self.labels) - {*CLASSES, "-"}:
            raise ValueError(f"labels must be of {', '.join(CLASSES)} or -; {sorted(wrong)[0]!r} is none")
        if set(self.labels) == {"-"}:
            raise ValueError("labels must hold one of the seven classes at least")
        width = 1 if self.channels == "gray" else 3
        if not {len(self.mean), len(self.std)} <= {1, width} or min(self.std) <= 0:
            raise ValueError(f"mean and std must be 1 or {width} numbers, std above 0")
        return self


#: A recogniser's name in `networks.recognisers`, or a file of one's own.
Network = Literal["mini_xception"] | OnnxConfig


class RecogniserConfig(Config):
    """An expression network trained elsewhere, evaluated as it is.

    Its answer is the mean over `zooms` of the face (the crop without its margin is zoom 1; above it more of the
    margin is seen) and, with `mirror`, their mirror images.
    """

    kind: Literal["recogniser"] = "recogniser"
    network: Network = "mini_xception"
    zooms: tuple[Annotated[float, Field(ge=0.5, le=2.0)], ...] = Field(
        (0.8, 0.9, 1.0, 1.1), min_length=1, max_length=16
    )
    mirror: bool = True


class VoteConfig(Config):
    """Finished runs on the same frames: the mean of their probabilities for frames they had not learned from.

    `calibrated`: each member's probabilities at a temperature of its own first, for a fold fitted on the other folds.
    """

    kind: Literal["vote"] = "vote"
    members: tuple[RunKey, ...] = Field(min_length=2, max_length=32)
    calibrated: bool = True
    names: tuple[str, ...] = where((), description="what people call the members")

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if list(self.members) != sorted(set(self.members)):
            raise ValueError("members must be different runs, in the order of their ids")
        return self
