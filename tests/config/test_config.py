"""Run definitions: validated, immutable, and with keys that change exactly when the result would."""

from typing import Any

import pytest

from fer_core.config.comparators import (
    BdnnConfig,
    LpqConfig,
    MlpConfig,
    PhogConfig,
    PixelsConfig,
    SvmConfig,
    TableConfig,
    descriptor_key,
)
from fer_core.config.reading import Reading
from fer_core.config.run import (
    STEP_VERSIONS,
    AugmentationConfig,
    DataConfig,
    FacesConfig,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
    parse,
)
from fer_core.errors import ConfigError

DATA = DataConfig(fingerprint="0123456789abcdef")
RUN = RunConfig(data=DATA)
COMPARATORS = (SvmConfig, BdnnConfig, MlpConfig)
#: What rests on faces that were cut.
CUT = {"crops", "faces", "activations", "descriptors", "transfer", "svm", "sheet"}
INPUTS = (PixelsConfig(), PhogConfig(), LpqConfig(), TableConfig(fingerprint="0" * 16))


def test_golden_keys() -> None:
    """A default can't change silently: raise the step's version, or a stored run would be taken for another."""
    assert RUN.detections_key() == "cf7951d563851b49"
    assert RUN.crops_key() == "359974ba17e07fc5"
    assert RUN.activations_key("layer4") == "2c98becfc6b1e473"
    assert RUN.key() == "a48bbce71d5648d2"
    assert RUN.model_copy(update={"goal": "faces"}).key() == "88f6df29ef201657"


def test_the_golden_key_of_a_recipe() -> None:
    recipe = TrainingConfig(
        weight_decay=0.05, patience=3, augmentation=AugmentationConfig(flip=True, crop=0.2)
    )
    assert RUN.model_copy(update={"training": recipe}).key() == "43f54de98a5c13c3"


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("detections", CUT | {"detections"}),
        ("crops", CUT | {"whole frames"}),
        ("activations", {"activations", "transfer", "whole frames"}),
        ("descriptors", {"descriptors", "svm"}),
        ("run", {"transfer", "svm", "sheet", "whole frames"}),
    ],
)
def test_a_raised_step_version_asks_for_all_that_rests_on_that_step_anew(
    step: str, changes: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    svm, sheet = (
        RUN.model_copy(update={"model": SvmConfig(inputs=inputs)}) for inputs in (PhogConfig(), TableConfig())
    )

    def keys() -> dict[str, str]:
        return {
            "detections": RUN.detections_key(),
            "crops": RUN.crops_key(),
            "faces": RUN.model_copy(update={"goal": "faces"}).key(),
            "activations": RUN.activations_key("layer4"),
            "descriptors": descriptor_key(RUN.crops_key(), PhogConfig()),
            "transfer": RUN.key(),
            "svm": svm.key(),
            "sheet": sheet.key(),
            "whole frames": RUN.model_copy(update={"faces": FacesConfig(extract=False)}).key(),
        }

    before = keys()
    monkeypatch.setitem(STEP_VERSIONS, step, STEP_VERSIONS[step] + 1)
    assert {name for name, key in keys().items() if key != before[name]} == changes


@pytest.mark.parametrize(
    "changed",
    [
        {"data": DataConfig(fingerprint="f" * 16)},
        {"faces": FacesConfig(margin=8)},
        {"faces": FacesConfig(extract=False)},
        {"model": TransferConfig(unfreeze=2)},
        {"model": TransferConfig(weights="none")},
        {"protocol": ProtocolConfig(name="group")},
        {"protocol": ProtocolConfig(seeds=(1,))},
        {"training": TrainingConfig(lr=1e-4)},
        {"goal": "faces"},
    ],
)
def test_what_decides_the_result_changes_the_key(changed: dict) -> None:
    assert RUN.model_copy(update=changed).key() != RUN.key()


@pytest.mark.parametrize(
    ("here", "elsewhere"),
    [
        ({}, {"data": DATA.model_copy(update={"source": "/elsewhere", "name": "other", "layout": "csv"})}),
        ({}, {"model": TransferConfig(weights_file="/elsewhere/file.pth")}),
        ({}, {"faces": FacesConfig(name="won back")}),
        ({"model": SvmConfig(inputs=TableConfig())}, {"model": SvmConfig(inputs=TableConfig(file="/table"))}),
    ],
)
def test_places_and_names_stay_out_of_the_key(here: dict, elsewhere: dict) -> None:
    assert RUN.model_copy(update=here).key() == RUN.model_copy(update=elsewhere).key()


def test_detection_is_shared_by_settings_that_only_choose_and_cut() -> None:
    other = RUN.model_copy(update={"faces": FacesConfig(margin=8, choice="central", align=True)})
    assert other.detections_key() == RUN.detections_key()
    assert other.crops_key() != RUN.crops_key()


def test_unfreeze_settings_share_activations_at_the_same_block_and_view() -> None:
    other = RUN.model_copy(update={"model": TransferConfig(unfreeze=3)})
    assert other.activations_key("layer3") == RUN.activations_key("layer3")
    views = [
        RUN.activations_key("layer3"),
        RUN.activations_key("layer4"),
        RUN.activations_key("layer4", {"mirror": 1}),
    ]
    assert len(set(views)) == 3


def test_without_extraction_only_the_size_decides_the_crops() -> None:
    whole = RUN.model_copy(update={"faces": FacesConfig(extract=False)})
    margin = RUN.model_copy(update={"faces": FacesConfig(extract=False, margin=8)})
    size = RUN.model_copy(update={"faces": FacesConfig(extract=False, size=96)})
    assert whole.crops_key() == margin.crops_key() != size.crops_key()


def test_manual_boxes_with_none_drawn_is_the_papers_policy() -> None:
    manual = RUN.model_copy(update={"faces": FacesConfig(no_face="manual")})
    drawn = RUN.model_copy(update={"faces": FacesConfig(no_face="manual", manual_boxes="0" * 16)})
    assert manual.key() == RUN.key() != drawn.key()


def test_folds_play_no_part_where_the_data_set_fixes_the_split() -> None:
    def key(name: str, folds: int) -> str:
        return ProtocolConfig(name=name, folds=folds).key()  # type: ignore[arg-type]

    assert key("fixed", 5) == key("fixed", 10)
    assert key("group", 5) != key("group", 10)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (TrainingConfig, {"epochs": 0}, "epochs"),
        (TrainingConfig, {"lr": float("nan")}, "lr"),
        (TrainingConfig, {"class_weights": True}, "classes drawn evenly need no weights"),
        (TrainingConfig, {"warmup_epochs": 5, "epochs": 5}, "fewer than epochs"),
        (TransferConfig, {"unfreeze": 4}, "unfreeze"),
        (TransferConfig, {"weights": "sha256:abc"}, "weights"),
        (ProtocolConfig, {"seeds": (1, 1)}, "seeds"),
        (ProtocolConfig, {"folds": 1}, "folds"),
        (FacesConfig, {"thresholds": (0.6, 0.7, 1.0)}, "thresholds"),
        (FacesConfig, {"margin": 128, "size": 96}, "margin"),
        (FacesConfig, {"manual_boxes": "0" * 16}, "manual"),
        (FacesConfig, {"surprise": 1}, "surprise"),
        (RunConfig, {"data": DATA.model_dump(), "model": {"kind": "oracle"}}, "model"),
        (PhogConfig, {"levels": 2}, "levels"),
        (PhogConfig, {"bins": 9}, "bins"),
        (PhogConfig, {"degrees": 90}, "degrees"),
        (LpqConfig, {"window": 4}, "window"),
        (LpqConfig, {"window": 11}, "window"),
        (LpqConfig, {"blocks": 5}, "blocks"),
        (LpqConfig, {"correlation": 1.0}, "correlation"),
        (PixelsConfig, {"side": 3}, "side"),
        (TableConfig, {"fingerprint": "short"}, "fingerprint"),
        (SvmConfig, {"costs": [1.0, 0.1]}, "costs"),
        (SvmConfig, {"gammas": [0.0, 1.0]}, "gammas"),
        (SvmConfig, {"variance": 1.0}, "variance"),
        (BdnnConfig, {"hidden": [8, 8]}, "hidden"),
        (BdnnConfig, {"hidden": [8, 0, 8]}, "hidden"),
        (BdnnConfig, {"reverse_weight": 0.0}, "reverse_weight"),
        (MlpConfig, {"mean_node": True}, "mean_node"),
    ],
)
def test_values_out_of_range_are_refused_by_name(kind: type, values: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(kind, values)


LATER = {
    "schedule": "cosine",
    "warmup_epochs": 2,
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "rate_factor": 0.5,
    "thaw_every": 2,
    "augmentation": AugmentationConfig(flip=True),
    "mixup": 0.2,
    "patience": 3,
    "selection": "inner",
    "calibrate": True,
    "flip_at_test": True,
}


def test_fields_that_came_later_stay_out_of_the_key_at_their_defaults() -> None:
    assert set(TrainingConfig().hashed()) == {"epochs", "batch_size", "lr", "sampler", "precision"}
    keys = {TrainingConfig(**{name: value}).key() for name, value in LATER.items()}
    assert len(keys | {TrainingConfig().key()}) == len(LATER) + 1


def test_what_plays_no_part_in_a_recipe_stays_out_of_its_key() -> None:
    assert TrainingConfig(inner_share=0.3).key() == TrainingConfig().key()
    assert TrainingConfig(inner_share=0.3, patience=1).key() != TrainingConfig(patience=1).key()
    assert TrainingConfig(augmentation=AugmentationConfig(views=3)).key() == TrainingConfig().key()


def test_the_reshuffle_has_no_inner_split() -> None:
    values = {"data": DATA, "protocol": {"name": "reshuffle"}, "training": {"patience": 2}}
    with pytest.raises(ConfigError, match="has no inner split"):
        parse(RunConfig, values)
    parse(RunConfig, values | {"model": {"kind": "svm"}})


def test_golden_keys_of_comparators() -> None:
    keys = {kind.__name__: RUN.model_copy(update={"model": kind()}).key() for kind in COMPARATORS}
    assert keys == {
        "SvmConfig": "e986e354bc795afa",
        "BdnnConfig": "e21d3bc363388e5d",
        "MlpConfig": "9df87306bdf9072d",
    }


@pytest.mark.parametrize("kind", COMPARATORS)
def test_the_transfer_recipe_plays_no_part_in_a_comparator_s_key(kind: type) -> None:
    run = RUN.model_copy(update={"model": kind()})
    assert run.key() == run.model_copy(update={"training": TrainingConfig(epochs=3, lr=0.5)}).key()
    assert run.key() != run.model_copy(update={"protocol": ProtocolConfig(folds=3)}).key()


@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: inputs.kind)
@pytest.mark.parametrize("kind", COMPARATORS)
def test_every_comparator_takes_every_input(kind: type, inputs: Any) -> None:
    model = kind(inputs=inputs)
    assert kind.model_validate_json(model.model_dump_json()) == model
    assert model.hashed()["inputs"] == inputs.hashed()


def test_the_descriptor_s_key_follows_crops_and_settings() -> None:
    keys = {descriptor_key(crops, inputs) for crops in ("a", "b") for inputs in INPUTS[:3]}
    assert len(keys) == 6
    assert descriptor_key("a", PhogConfig()) == descriptor_key("a", PhogConfig(levels=3))
    assert descriptor_key("a", PhogConfig()) != descriptor_key("a", PhogConfig(bins=16))


def test_a_weight_without_part_stays_out_of_the_key() -> None:
    assert BdnnConfig(alternate=5, reverse_weight=2.0).key() == BdnnConfig(alternate=5).key()
    assert BdnnConfig(reverse_weight=2.0).key() != BdnnConfig().key()


def test_epochs_are_those_that_the_model_trains() -> None:
    def epochs(model: object) -> int:
        return RUN.model_copy(update={"model": model, "training": TrainingConfig(epochs=7)}).epochs

    assert (epochs(TransferConfig()), epochs(BdnnConfig(epochs=9)), epochs(SvmConfig())) == (7, 9, 1)


def test_only_a_transfer_run_has_a_backbone() -> None:
    assert RUN.transfer is RUN.model
    with pytest.raises(ConfigError, match="backbone"):
        _ = RUN.model_copy(update={"model": SvmConfig()}).transfer


def test_definitions_stored_with_label_codes_are_read_on() -> None:
    stored = {"fingerprint": "0" * 16, "label_codes": "1-7", "group_pattern": r"(\d+)_", "images": 3}
    assert parse(DataConfig, stored).reading == Reading(label_map="sfew", group_pattern=r"(\d+)_")
    assert parse(DataConfig, stored | {"label_codes": None}).reading.label_map is None
    assert parse(DataConfig, stored).key() == DataConfig(fingerprint="0" * 16).key()
