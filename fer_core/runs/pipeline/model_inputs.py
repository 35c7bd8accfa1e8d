"""What a model reads of each image: its crop, a descriptor of the crop, or its row of a ready sheet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from fer_core.config.comparators import (
    BdnnConfig,
    ImageInputs,
    MlpConfig,
    SvmConfig,
    TableConfig,
    descriptor_key,
)
from fer_core.config.regular_files import require_inside
from fer_core.config.run import STEP_VERSIONS, RunConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Dataset
from fer_core.datasets.readers.feature_table import LAYOUT, join, read_feature_table, row_names
from fer_core.errors import DataError
from fer_core.faces.extraction import NOT_DETECTED, SAMPLE_FIELDS, Crops
from fer_core.learning.inputs.reuse import marks_of, write_rows
from fer_core.learning.networks.weight_status import weight_status
from fer_core.learning.reporting import Report
from fer_core.storage.artifacts import Artifacts

FILE = "descriptors.npy"

#: Crops read and described at once: bounds memory.
BATCH = 256


@dataclass(frozen=True)
class Source:
    """What a run's inputs come from; `crops` cuts the crops of all its frames, or opens them."""

    config: RunConfig
    dataset: Dataset
    crops: Callable[[], Crops]
    artifacts: Artifacts
    report: Report
    settings: Settings


@dataclass(frozen=True)
class ModelInputs:
    """What a model reads.

    Attributes:
        frames: a row a frame, with what became of it.
        used: (N,) rows of the frames that the model reads.
        values: (N, H, W, 3) uint8 crops, or (N, D) features.
    """

    frames: pd.DataFrame
    used: pd.DataFrame
    values: np.ndarray


def require_images(dataset: Dataset) -> None:
    """Refuse a data set that is a feature table, where frames are wanted.

    Raises:
        DataError: it has none.
    """
    if dataset.layout == LAYOUT:
        raise DataError(
            "a feature table has no images to cut faces from or to show a network",
            got=dataset.name,
            fix="Choose svm, bdnn or mlp with the features 'table'",
        )


def crops_of(source: Source) -> ModelInputs:
    """Return the crops, for a network; missing weights are fetched before any work is done that they would waste.

    Raises:
        WeightsError: the weights are not here and can't be fetched.
    """
    model, folder = source.config.transfer, source.settings.weights_dir
    if weight_status(model.backbone, model.weights, folder, model.weights_file).state in (
        "download",
        "bring",
    ):
        from fer_core.learning.networks.weights import load_weights

        load_weights(model, folder)
    return cropped(source)


def cropped(source: Source) -> ModelInputs:
    """Return the crops of the frames that have one."""
    crops = source.crops()
    used = crops.used()
    return ModelInputs(crops.table, used, crops.images[: len(used)])


def features_of(source: Source) -> ModelInputs:
    """Return the features of a comparator: rows of a sheet, so that no frame is opened, or descriptors of crops."""
    config = source.config
    if isinstance(_inputs(config), TableConfig):
        used, values = table_rows(config, source.dataset, source.report, source.settings.data_roots)
        return ModelInputs(used, used, values)
    found = cropped(source)
    return replace(found, values=descriptors(config, found.values, source.artifacts, source.report))


def _inputs(config: RunConfig) -> ImageInputs | TableConfig:
    return cast(SvmConfig | BdnnConfig | MlpConfig, config.model).inputs


def descriptors(config: RunConfig, crops: np.ndarray, artifacts: Artifacts, report: Report) -> np.ndarray:
    """Return the descriptor of every crop, computed now unless another run has: (N, D) float32.

    Crops that other sets hold too, byte for byte, are not described again (`inputs.reuse`).

    Args:
        crops: (N, H, W, 3) uint8 RGB, all of the run's crops in their order.
    """
    from fer_core.learning.comparators.descriptors import describe

    inputs = cast(ImageInputs, _inputs(config))
    described = {"inputs": inputs.hashed(), "version": STEP_VERSIONS["descriptors"]}

    def compute(rows: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, max(len(rows), 1), BATCH):

            def progress(done: int, _: int, before: int = start) -> None:
                report.step(f"{inputs.kind} descriptors", before + done, len(rows))

            yield describe(crops[rows[start : start + BATCH]], inputs, progress)

    def build(folder: Path) -> None:
        write_rows(folder / FILE, "descriptors", described, marks_of(crops), compute, artifacts)

    own = described | {"crops": config.crops_key(), "images": len(crops)}
    key = descriptor_key(config.crops_key(), inputs)
    return np.load(artifacts.ensure("descriptors", key, own, build, waiting=report.check) / FILE)


def table_rows(
    config: RunConfig, dataset: Dataset, report: Report, roots: Sequence[Path] = ()
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the samples that have a whole row in the sheet, and their figures: (M,) rows and (M, D) float64.

    A data set of images is joined to the sheet by stem; one that is a sheet itself brings its own rows. What
    is left out is counted in the run's log.

    Raises:
        DataError: the sheet is gone, lies outside the allowed folders, has changed, or has no row of the
            data set.
    """
    inputs = cast(TableConfig, _inputs(config))
    if inputs.file:
        require_inside(Path(inputs.file), roots, what="A feature table")
    sheet = read_feature_table(Path(inputs.file or dataset.source))
    if inputs.fingerprint not in ("", sheet.fingerprint()):
        raise DataError(
            "the feature table must be as it was when the run was submitted",
            got=f"{inputs.file}: other rows",
            fix="Submit the run again to train on the table as it is now",
        )
    if dataset.layout == LAYOUT:
        place = {name: row for row, name in enumerate(row_names(sheet))}
        if not place.keys() >= {sample.name for sample in dataset.samples}:
            raise DataError(
                "a data set that is a feature table must be the very table that is read",
                got=f"{inputs.file} beside {dataset.source}",
                fix="Give both the same file",
            )
        rows = np.array([place[sample.name] for sample in dataset.samples], dtype=np.intp)
        samples = np.arange(len(dataset))
    else:
        rows, samples = join(sheet, dataset.samples)
        report.log(f"{len(rows)} of {len(dataset)} images have a row in {inputs.file}")
    whole = np.isin(rows, sheet.complete(inputs.columns))
    if not whole.any():
        raise DataError(
            "the feature table must have rows of this data set",
            got=f"{len(rows)} rows that belong to an image, none of them with all figures",
            fix="Check that names in the table are the images' file names",
        )
    if not whole.all():
        report.log(f"{int((~whole).sum())} rows of the table are left out: figures are missing in them")
    order = np.argsort(samples[whole], kind="stable")
    used = samples_table(dataset).iloc[samples[whole][order]].reset_index(drop=True)
    return used, sheet.features(inputs.columns)[rows[whole][order]]


def samples_table(dataset: Dataset) -> pd.DataFrame:
    """Return a data set as the table of its crops would be, no frame opened and no face looked for."""
    return pd.DataFrame(
        [
            {
                **{field: getattr(sample, field) for field in SAMPLE_FIELDS},
                "status": NOT_DETECTED,
                "rescued_by": None,
                "row": row,
            }
            for row, sample in enumerate(dataset.samples)
        ]
    )
