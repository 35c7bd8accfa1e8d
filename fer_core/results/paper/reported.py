"""What the paper reports, as data: each figure as printed, with its place, and where the paper disagrees.

The paper is C. Chen, "Exploring factors affecting facial expression classification performance with
transferred deep neural network" (Australian National University). Its reference [3], from which the
published baselines come, is Dhall et al. 2011, "Static facial expressions in tough conditions".
"""

from dataclasses import dataclass
from typing import Any, Literal

Measure = Literal["val_accuracy", "train_accuracy", "val_loss", "train_loss"]

TABLE_2 = "table 2"
TABLE_3 = "table 3 (section 3)"
BDNN_TABLE = "table 3 (section 3.1)"  # the paper numbers two tables 3
SFEW_PAPER = "Dhall et al. 2011"


@dataclass(frozen=True)
class Reported:
    """One figure that was published.

    Attributes:
        model: 'resnet18', 'bdnn', 'lpq', 'phog' or 'lpq+phog'.
        system: what pages call it.
        measure: accuracy as a share, loss in nats.
        printed: the figure as printed; accuracies in %.
        source: table or section.
        quote: the row or sentence as printed; "" where it is not from the paper's own text.
        protocol: this project's name of how it was evaluated (`ProtocolConfig.name`).
        over: what it was averaged over, in words; "" where that isn't said.
        unfreeze, faces, iterations: the setting, where the figure has one.
    """

    model: str
    system: str
    measure: Measure
    printed: str
    source: str
    quote: str
    protocol: str
    over: str = ""
    unfreeze: int | None = None
    faces: bool | None = None
    iterations: int | None = None

    @property
    def value(self) -> float:
        """The figure in this project's unit: accuracies in 0..1, losses in nats."""
        return float(self.printed) / 100 if self.measure.endswith("accuracy") else float(self.printed)


@dataclass(frozen=True)
class Disagreement:
    """Two or more places of the paper that can't all hold.

    Attributes:
        about: what they disagree on.
        places: (source, quote) each.
        reading: how this project reads it, and why.
    """

    about: str
    places: tuple[tuple[str, str], ...]
    reading: str


def _network(system: str, measure: Measure, printed: str, quote: str, **setting: Any) -> Reported:
    source = TABLE_2 if measure.endswith("accuracy") else TABLE_3
    return Reported("resnet18", system, measure, printed, source, quote, "reshuffle", "20 epochs", **setting)


TABLE_2_ROWS = ((1, "34.42", "26.51"), (2, "41.36", "43.24"), (3, "87.68", "14.42"))
TABLE_3_ROWS: tuple[tuple[Measure, str, str, str], ...] = (
    ("train_loss", "Average Training loss", "1.50663", "2.271788"),
    ("val_loss", "Average Validation loss", "1.78958", "1.91592"),
)
MEASURES_2: tuple[Measure, ...] = ("train_accuracy", "val_accuracy")

#: Every accuracy and loss of the paper's tables, then the SFEW paper's baselines, in the order of print.
REPORTED: tuple[Reported, ...] = (
    *(
        _network(f"ResNet18, n = {n}", measure, figure, f"{n} {' '.join(row)}", unfreeze=n, faces=True)
        for n, *row in TABLE_2_ROWS
        for measure, figure in zip(MEASURES_2, row, strict=True)
    ),
    *(
        _network(
            f"ResNet18, {'with' if faces else 'without'} face extraction",
            *(measure, with_faces if faces else without, f"{name} {with_faces} {without}"),
            faces=faces,
        )
        for measure, name, with_faces, without in TABLE_3_ROWS
        for faces in (True, False)
    ),
    *(
        Reported(
            *("bdnn", f"BDNN, {iterations} iterations", "val_accuracy", printed, BDNN_TABLE),
            *(f"{iterations} {printed}", "stratified"),
            iterations=iterations,
        )
        for iterations, printed in ((100, "15.92"), (200, "13.78"))
    ),
    Reported("lpq", "LPQ + SVM", "val_accuracy", "43.71", SFEW_PAPER, "", "stratified", "5 random folds"),
    Reported(
        *("phog", "PHOG + SVM", "val_accuracy", "46.28", SFEW_PAPER),
        "the performance obtained by the pyramid of histogram of oriented gradients (PHOG) is 46.28%",
        *("stratified", "5 random folds"),
    ),
    Reported("lpq+phog", "SFEW baseline, SPI", "val_accuracy", "19.0", SFEW_PAPER, "", "spi", "both ways"),
)

#: Table 1 as printed: the settings of the BDNN's two directions.
_BOTH = {
    "Learning Rate": "0.03",
    "K-Fold": "10",
    "Num_Epoch": "200",
}
BDNN_SETTINGS: dict[str, dict[str, str]] = {
    "Forward Net": {
        **_BOTH,
        "Criterion": "CrossEntropy",
        "Optimiser": "Adam",
        "Input shape": "(N, M^2)",
        "Output Shape": "$(7, 1)$",
    },
    "Backward Net": {
        **_BOTH,
        "Criterion": "MeanSquare",
        "Optimiser": "Adam",
        "Input shape": "$(7, 1)$",
        "Output Shape": "(N, M)",
    },
}

DISAGREEMENTS: tuple[Disagreement, ...] = (
    Disagreement(
        "accuracy of two unfrozen blocks",
        (
            (
                "abstract",
                "the performance of the transferred networks achieves 41.36% on the validation set of SFEW",
            ),
            ("section 1", "the performance of the model obtains 43.24% for the test set"),
            (TABLE_2, "2 41.36 43.24"),
        ),
        "Table 2 gives 41.36 % as training and 43.24 % as validation accuracy, so the abstract seems to quote the "
        "training column. No separate test set is described. Both figures are shown.",
    ),
    Disagreement(
        "what two blocks are",
        (
            (
                "abstract",
                "the last two layers (including 4 convolutional layers and two fully connected layers)",
            ),
            ("section 3", "only the last fully connected layer in the ResNet18 structure"),
            (
                "section 3",
                "three blocks involve 8 convolutional layers as well as the last fully connected layer",
            ),
        ),
        "ResNet18 has one fully connected layer. n = 1 is that layer alone, and n = 2 and 3 add the last one and two "
        "groups of four convolutions, which fits both sentences of section 3.",
    ),
    Disagreement(
        "cross-validation",
        (
            ("section 2.4", "the picked block is treated as validation set and others as training set"),
            ("section 2.4", "randomly sampling and splitting the dataset according to K for each epoch"),
        ),
        "Splitting again each epoch is no k-fold cross-validation: an image validated in one epoch is trained on in "
        "others. It is kept here as the protocol 'reshuffle', marked as leaking.",
    ),
    Disagreement(
        "what the reshuffle gives",
        (
            ("section 2.4", "randomly sampling and splitting the dataset according to K for each epoch"),
            (TABLE_2, "3 87.68 14.42"),
        ),
        "One split an epoch, as described, lets n = 3 train on nearly every frame it is later validated on, so its "
        "validation accuracy follows its training accuracy up; 14.42 % beside 87.68 % can't come of it. Table 2 fits "
        "folds that stay apart. Another reading, K rounds of training an epoch on one new split each, leaks as much. "
        "'reshuffle' here is one split an epoch; random folds and folds by movie stand beside it.",
    ),
    Disagreement(
        "whether the BDNN is always beaten",
        (
            ("section 3.1", "performs better than BDNN under all circumstances"),
            ("section 4", "is in all cases better than BDNN"),
            (TABLE_2, "3 87.68 14.42"),
            (BDNN_TABLE, "100 15.92"),
        ),
        "14.42 % (n = 3) is less than 15.92 %; both are within noise of chance. The statement is judged for each n.",
    ),
    Disagreement(
        "size of the reverse network's output",
        (("table 1", "Adam (N, M^2)"), ("table 1", "(N, M)")),
        "The reverse direction gives back what the forward one takes in, so both have the size of the input.",
    ),
)

#: What the paper leaves open and a repetition has to choose.
NOT_STATED: tuple[str, ...] = (
    "whether BatchNorm in frozen blocks kept ImageNet's statistics in training (here it does) or took each batch's "
    "(the recipe 'BatchNorm in train mode')",
    "whether the BDNN's features were standardised, and whether its directions trained together or in turns",
    "learning rate and batch size of the transferred network",
    "which n table 3 averages over",
    "number of seeds or repetitions",
    "size M of the BDNN's input and the sizes of its hidden layers",
    "margin of the crop, and the choice among several faces",
)


def reported(measure: Measure, **setting: object) -> tuple[Reported, ...]:
    """Return the figures of a measure whose fields equal those given, such as `unfreeze=2`.

    Raises:
        AttributeError: no such field.
    """
    return tuple(
        figure
        for figure in REPORTED
        if figure.measure == measure
        and all(getattr(figure, name) == value for name, value in setting.items())
    )
