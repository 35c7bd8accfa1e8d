"""What tests of whole runs share: a small run's definition and a report that keeps what it gets."""

from pathlib import Path

from fer_core.config.run import ProtocolConfig, RunConfig, TrainingConfig, TransferConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset


def definition(source: Path, n: int = 1, *, epochs: int = 2, **changed: object) -> RunConfig:
    data = data_config(open_dataset(source))
    values: dict = {
        "model": TransferConfig(backbone="efficientnet_lite0", unfreeze=n),
        "protocol": ProtocolConfig(name="group", folds=2),
        "training": TrainingConfig(epochs=epochs, batch_size=8),
    }
    return RunConfig(data=data, **(values | changed))
