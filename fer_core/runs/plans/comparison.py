"""Which runs stand beside the paper's figures: every system through the same folds, and the grid of tables 2 and 3."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_core.config.comparators import (
    DHALL,
    BdnnConfig,
    Inputs,
    MlpConfig,
    PixelsConfig,
    SvmConfig,
    TableConfig,
)
from fer_core.config.regular_files import require_inside
from fer_core.config.run import (
    DataConfig,
    FacesConfig,
    Model,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
    parse,
)
from fer_core.config.settings import Settings, load
from fer_core.datasets.base import Dataset
from fer_core.datasets.readers.feature_table import LAYOUT, join, read_feature_table
from fer_core.errors import ConfigError, DataError
from fer_core.learning.networks.backbones import PACKAGED
from fer_core.learning.networks.backbones import backbone as row_of
from fer_core.learning.networks.weight_status import weight_status

from .requests import settings_of, transfer_configs

#: Folds of the paper's transferred networks (section 2.4) and of its BDNN (table 1).
FOLDS, BDNN_FOLDS = 5, 10


@dataclass(frozen=True)
class Plan:
    """Runs to make or recall, in the order they are shown, and what a reader must know of their choice.

    `backbone` with `weights` stands beside the paper's ResNet18; "" where the data set has no images. `absent`
    says why protocols can't be run on the data set.
    """

    configs: tuple[RunConfig, ...]
    notes: tuple[str, ...]
    backbone: str = ""
    weights: str = ""
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def protocols(self) -> tuple[str, ...]:
        """The names of the runs' protocols, in their order."""
        return tuple(dict.fromkeys(config.protocol.name for config in self.configs))


def inputs_of(features: str, table: Path | None = None, columns: str = "both") -> Inputs:
    """Return what a comparator reads: 'pixels', 'phog', 'lpq', 'lpq+phog' or 'table' (with its file).

    Descriptors are set as Dhall et al. had them, so that their figure stands beside (`DHALL`).

    Raises:
        ConfigError: the name is unknown, or a table is missing or not asked for.
        DataError: the table can't be read or lies outside the allowed folders.
    """
    if (features == "table") != (table is not None):
        raise ConfigError(
            "features 'table' and a table go together",
            got=f"features {features!r} and {'a' if table else 'no'} table",
            fix="Give both: --features table --table FILE",
        )
    if table is not None:
        require_inside(table, load().data_roots, what="A feature table")
        sheet = read_feature_table(table)
        given = {"columns": columns, "fingerprint": sheet.fingerprint(), "file": str(table.absolute())}
        return parse(TableConfig, given)
    known: dict[str, Inputs] = {"pixels": PixelsConfig(), **DHALL}
    if features not in known:
        raise ConfigError(f"features must be one of {', '.join(known)}, table", got=repr(features))
    return known[features]


def require_rows(dataset: Dataset, inputs: Iterable[Inputs]) -> None:
    """Check that each table that is read beside images has rows of them, before a run is asked for.

    Raises:
        DataError: no row's name is that of an image.
    """
    for table in inputs:
        if not isinstance(table, TableConfig) or not table.file or dataset.layout == LAYOUT:
            continue
        sheet = read_feature_table(Path(str(table.file)))
        if not len(join(sheet, dataset.samples)[0]):
            raise DataError(
                "A feature table must have rows of the data set's images",
                got=f"{len(sheet)} rows such as {sheet.names[0]!r}, {len(dataset)} images such as "
                f"{dataset.samples[0].name!r}, none alike",
                fix="Names must be alike but for folder, extension and case",
            )


def comparator(kind: str, inputs: Inputs, **settings: object) -> Model:
    """Return an 'svm', 'bdnn' or 'mlp' on these inputs; `settings` are fields of it, such as epochs.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    kinds: Any = {"svm": SvmConfig, "bdnn": BdnnConfig, "mlp": MlpConfig}
    return parse(kinds[kind], {"inputs": inputs.model_dump(), **settings})


def choose_backbone(name: str | None, settings: Settings, weights: str = "imagenet") -> tuple[str, str]:
    """Return the backbone to use and a sentence about it, if it is not the paper's network.

    That is ResNet18 where ImageNet's weights of it are here or others were asked for, else `PACKAGED`.

    Raises:
        ConfigError: there is no such backbone.
    """
    row = row_of(name or "resnet18")
    if weights == "none":
        return row.name, (
            f"{row.title} starts from random weights, as asked: its figures are not those of a network pretrained "
            "on ImageNet, and say nothing about the paper's."
        )
    if name is not None or weights != "imagenet":
        return row.name, ""
    if weight_status("resnet18", "imagenet", settings.weights_dir).state == "here":
        return "resnet18", ""
    return PACKAGED, (
        f"The weights of the paper's ResNet-18 are not on this host, so {row_of(PACKAGED).title} stands in for "
        "it; put resnet18-f37072fd.pth into FER_WEIGHTS_DIR, or name a backbone, to change that. ResNet-18 from "
        "random weights runs only where they are asked for."
    )


def paper_plan(
    dataset: Dataset,
    data: DataConfig,
    faces: FacesConfig,
    settings: Settings,
    *,
    backbone: str | None = None,
    weights: str = "imagenet",
    epochs: int = 20,
    folds: int = FOLDS,
    table: Path | None = None,
) -> Plan:
    """Return what the paper compares, to be run on one data set.

    BDNN, its control, PHOG, LPQ and both with an SVM, and the backbone at n = 1, 2, 3, by movie or person where
    those are known, in random folds, and between SFEW's two sets where the data set has them, the same for all;
    the backbone under the paper's reshuffle too, n = 2 on whole frames (table 3), and the BDNN in its 10
    folds (table 1). A feature table as data set leaves out what needs images; a `table` beside images adds
    models that read it.

    Args:
        backbone: beside the paper's ResNet18; None for `choose_backbone`'s choice.
        weights: 'imagenet', 'none' (random) or a file's path.
        epochs, folds: of the transferred networks, and of every protocol that has folds.
    """
    notes: list[str] = []
    training = TrainingConfig(epochs=epochs)
    rows_only = dataset.layout == LAYOUT
    sheet = Path(dataset.source) if rows_only else table
    chosen = ""
    transfer: list[TransferConfig] = []
    if rows_only:
        faces = FacesConfig(extract=False)
        notes.append("The data set is a feature table: without images no network can be transferred to it.")
        systems = sheet_systems(Path(dataset.source))
    else:
        chosen, said = choose_backbone(backbone, settings, weights)
        notes += [said] if said else []
        transfer = transfer_configs(chosen, weights, (1, 2, 3))
        systems = [
            BdnnConfig(),
            MlpConfig(),
            *(SvmConfig(inputs=inputs) for inputs in DHALL.values()),
            *transfer,
        ]
        systems += sheet_systems(sheet) if sheet else []

    def runs(
        models: Iterable[Model], name: str, *, k: int = folds, cut: FacesConfig = faces
    ) -> list[RunConfig]:
        protocol = ProtocolConfig(name=name, folds=k)  # type: ignore[arg-type]
        return settings_of(data, [cut], models, protocol, training)

    found: list[RunConfig] = []
    absent = absent_protocols(dataset, folds)
    fair = "group" not in absent
    if fair:
        found += runs(systems, "group")
    else:
        notes.append(f"{absent['group']} Random folds let frames of one shot fall on both sides.")
    found += runs(systems, "stratified")
    if "spi" not in absent:
        found += runs(systems, "spi")
    whole = FacesConfig(extract=False)
    if transfer:
        found += runs(transfer, "reshuffle")
        found += runs(transfer[1:2], "reshuffle", cut=whole)
        found += runs(transfer[1:2], "group", cut=whole) if fair else []
    smallest = min(count for count in dataset.class_counts().values() if count)
    if smallest >= BDNN_FOLDS != folds:
        found += runs(systems[:1], "stratified", k=BDNN_FOLDS)
    elif smallest < BDNN_FOLDS:
        notes.append(
            f"Table 1 has the BDNN in {BDNN_FOLDS} folds; the rarest class here has {smallest} images, so it runs "
            f"in {folds}."
        )
    return Plan(tuple(found), tuple(notes), chosen, transfer[0].weights if transfer else "", absent)


def sheet_systems(sheet: Path) -> list[Model]:
    """Return the comparators on a feature table: an SVM on all its columns and on either half, MLP and BDNN on all.

    The BDNN in standard units, and raw with both directions in each step or in turns: the paper says neither.
    """
    return [
        *(
            BdnnConfig(inputs=inputs_of("table", sheet), standardise=standard, alternate=steps)
            for standard, steps in ((True, 0), (False, 0), (False, 1))
        ),
        MlpConfig(inputs=inputs_of("table", sheet)),
        SvmConfig(inputs=inputs_of("table", sheet, "phog")),
        SvmConfig(inputs=inputs_of("table", sheet, "lpq")),
        SvmConfig(inputs=inputs_of("table", sheet, "both")),
    ]


def absent_protocols(dataset: Dataset, folds: int) -> dict[str, str]:
    """Return the protocols of the comparison that the data set does not allow: name -> why, in a sentence."""
    absent = {}
    if not fair_protocol(dataset, folds):
        absent["group"] = (
            f"Fewer than {folds} movies or persons are known by name, or a class is in one of them alone, so "
            "nothing can be held out group-wise."
        )
    if {split for _, split, _ in dataset.tally} != {"set1", "set2"}:
        absent["spi"] = (
            "This data set is not divided into set1 and set2, so SFEW's two-set protocol can't be run on it."
        )
    return absent


def fair_protocol(dataset: Dataset, folds: int) -> bool:
    """Return whether whole movies or persons can be held out: enough of them, each class in two or more."""
    groups: dict[int, set[str]] = defaultdict(set)
    for label, _, group in dataset.tally:
        groups[label].add(group)
    if len(set().union(*groups.values()) - {""}) < folds:
        return False
    return all(len(some) > 1 for some in groups.values())


def leak_protocols(dataset: Dataset, folds: int) -> tuple[str, ...]:
    """Return the protocols of the leak meter that the data set allows, the most optimistic first.

    The paper's reshuffle, random k-fold, by clip and by movie.
    """
    names = ["reshuffle", "stratified"]
    if any(sample.clip not in ("", sample.name) for sample in dataset.samples):
        names.append("clip")
    if fair_protocol(dataset, folds):
        names.append("group")
    return tuple(names)


def leak_meter(config: RunConfig, protocols: Sequence[str]) -> list[RunConfig]:
    """Return a run's definition under each protocol; the reshuffle only for a model trained in epochs."""
    base = config.protocol.model_dump()
    return [
        config.model_copy(update={"protocol": ProtocolConfig(**base | {"name": name})})
        for name in protocols
        if name != "reshuffle" or config.epochs > 1
    ]


NO_GROUPS = (
    "Too few movies or persons are known by name to hold out whole ones, so random folds stand in for the fair "
    "protocol here; they leak too where frames come from films."
)


def grid(
    dataset: Dataset,
    data: DataConfig,
    faces: FacesConfig,
    models: Sequence[TransferConfig],
    *,
    epochs: int,
    folds: int,
    seeds: tuple[int, ...],
) -> Plan:
    """Return every model with and without faces under both protocols, the paper's first."""
    grouped = fair_protocol(dataset, folds)
    training, whole = TrainingConfig(epochs=epochs), FacesConfig(extract=False, size=faces.size)
    configs = [
        config
        for name in ("reshuffle", "group" if grouped else "stratified")
        for cut in (faces, whole)
        for config in settings_of(
            data,
            [cut],
            models,
            ProtocolConfig(name=name, folds=folds, seeds=seeds),
            training,  # type: ignore[arg-type]
        )
    ]
    return Plan(tuple(configs), () if grouped else (NO_GROUPS,))
