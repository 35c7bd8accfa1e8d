"""Two runs on the same images: a paired test, classes, and the images on which they disagree."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES, ProtocolConfig
from fer_core.evaluation import metrics
from fer_core.evaluation.metrics.probabilities import guesses, probabilities_of
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results import charts
from fer_core.results.rows import title
from fer_core.results.shares import p_value, percent
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared
from fer_core.ui.panels import at_work
from fer_core.ui.panels.detections import label
from fer_core.ui.parts import figure
from fer_core.ui.parts.gallery import Tile, grid
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import escaped, faces_link, run_link
from fer_core.ui.shell.setup import Lab

MOST_IMAGES = 24


@dataclass(frozen=True)
class Pair:
    """What tells two runs apart, the better one first (a): `side_by_side`, a test over all images, `by_class`."""

    better: str
    other: str
    both: pd.DataFrame
    test: dict[str, Any]
    classes: pd.DataFrame


def view(lab: Lab, compared: Compared, runs: list[StoredRun]) -> None:
    """Draw the choice of two runs and everything that tells them apart; one that a link names is waited for."""
    if waited_for(lab):
        return
    if len(runs) < 2:
        st.info("Two runs are needed; loosen the filters or train another.", icon=":material/compare:")
        return
    names = {run.id: name for name, run in compared.named(runs).items()}
    one, other = first_choice(runs)
    left, right = st.columns(2)
    first = left.selectbox("First", index=one, **one_of("a", list(names), names.__getitem__))
    second = right.selectbox("Second", index=other, **one_of("b", list(names), names.__getitem__))
    if first == second:
        st.info("Choose two different runs.", icon=":material/compare:")
        return
    pair = resources.of_trained(paired, compared, first, second)
    if pair is None:
        st.info("No image was held out in both runs, so they can't be compared.", icon=":material/compare:")
        return
    a, b = compared.by_id[pair.better], compared.by_id[pair.other]
    if words := fold_difference(a.config.protocol, b.config.protocol):
        st.warning(words, icon=":material/rule:")
    if a.config.data.excluded != b.config.data.excluded:
        st.info(
            f"Frames are excluded ({' and '.join(str(len(run.config.data.excluded)) for run in (a, b))}): only the "
            f"{pair.test['images']} images held out in both are compared, and the folds are others.",
            icon=":material/do_not_disturb_on:",
        )
    if name := st.query_params.get("frame"):
        one_frame(compared.by_id[first], compared.by_id[second], name)
    called = {run.id: run.name or title(run) for run in (a, b)}
    if called[a.id] == called[b.id]:
        called = {key: f"{name} ({'first' if key == first else 'second'})" for key, name in called.items()}
    _test(a, b, pair, called)
    st.subheader("Class by class")
    figure.figure(resources.chart(charts.class_differences, pair.classes), pair.classes, "class-differences")
    st.caption(
        "95 % intervals of paired differences, over movies or persons where they are known and enough."
    )
    st.subheader("Images that one gets right and the other wrong")
    st.caption("Under each: the true class → what the other run takes it for.")
    both = pair.both
    more = ", the other wrong" if pair.test["seeds"] == 1 else " more often"
    with st.container(key="cards-images"):
        left, right = st.columns(2, gap="large")
    with left:
        _images(a, both[both["right_a"] > both["right_b"]], f"{called[a.id]} right" + more, "b")
    with right:
        _images(b, both[both["right_b"] > both["right_a"]], f"{called[b.id]} right" + more, "a")


def first_choice(runs: list[StoredRun]) -> tuple[int, int]:
    """Return the places of two runs that share their folds, by whole groups where there are such."""
    alike: dict[ProtocolConfig, list[int]] = defaultdict(list)
    for index in sorted(range(len(runs)), key=lambda index: PROTOCOLS[runs[index].protocol].leaks):
        alike[runs[index].config.protocol].append(index)
        if len(next(iter(alike.values()))) > 1:
            break  # no later run can stand before these
    one, other = next((found[:2] for found in alike.values() if len(found) > 1), (0, 1))
    return one, other


def paired(compared: Compared, one: str, other: str) -> Pair | None:
    """Return what tells two runs apart, by their ids; None where no image was held out in both."""
    a, b = (resources.finished_predictions(compared.by_id[run_id]) for run_id in (one, other))
    both = side_by_side(a, b)
    if both.empty:
        return None
    gain, images = metrics.paired(b, a)
    if gain.value < 0:
        return paired(compared, other, one)
    first = metrics.same_images(*(side[side["seed"] == side["seed"].min()] for side in (a, b)))
    test: dict[str, Any] = {"images": images, "gain": gain, "p": None, "seeds": a["seed"].nunique()}
    if len(first):
        test |= metrics.disagreements(first["a"], first["b"])
    return Pair(one, other, both, test, by_class(both))


def side_by_side(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return a row per image held out in both: name, group, label, guess_a, guess_b, right_a, right_b.

    Of several seeds a guess is what most of them say, and right_a the share of them that are right.
    """
    sides = []
    for name, side in (("a", a), ("b", b)):
        said = guesses(side)
        votes = pd.DataFrame(np.eye(len(CLASSES))[said])
        votes["right"] = said == side["label"].to_numpy()
        mean = votes.groupby([side[key].to_numpy() for key in ("name", "group", "label")]).mean()
        guess = mean.drop(columns="right").to_numpy().argmax(axis=1)
        sides.append(pd.DataFrame({f"guess_{name}": guess, f"right_{name}": mean["right"]}))
    both = pd.concat(sides, axis=1, join="inner")
    return both.rename_axis(["name", "group", "label"]).reset_index()


def by_class(both: pd.DataFrame) -> pd.DataFrame:
    """Return a row a class: class, images, first, second (shares recognised), difference, low, high."""
    rows = []
    for index in sorted(both["label"].unique()):
        part = both[both["label"] == index]
        images = list(part["group"]), list(part["name"])
        found = metrics.difference(part["right_a"] - part["right_b"], *images, most=1.0)
        low, high = found.interval
        rows.append(
            {
                "class": CLASSES[index],
                "images": len(part),
                "first": part["right_a"].mean(),
                "second": part["right_b"].mean(),
                "difference": found.value,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def fold_difference(first: ProtocolConfig, second: ProtocolConfig) -> str:
    """Return how the folds of two runs differ, in words; nothing where they are the same folds."""
    if first.hashed() == second.hashed():
        return ""
    seeds = [", ".join(map(str, each.seeds)) for each in (first, second)]
    if first.hashed() | {"seeds": second.hashed()["seeds"]} == second.hashed():
        return (
            f"The folds were drawn with other seeds ({seeds[0]} against {seeds[1]}), so a part of the difference is "
            "that of the draw."
        )
    ways = [
        each.name + (f" with k = {each.folds}" if "folds" in each.hashed() else "")
        for each in (first, second)
    ]
    return f"The folds differ ({ways[0]} against {ways[1]}), so this compares the protocols as much as the systems."


def _test(a: StoredRun, b: StoredRun, pair: Pair, names: dict[str, str]) -> None:
    both, found = pair.both, pair.test
    gain = found["gain"]
    low, high = gain.interval
    seeds = "" if found["seeds"] == 1 else "mean of the seeds, image by image"
    columns = st.columns(4)
    columns[0].metric(escaped(names[a.id]), percent(both["right_a"].mean()))
    columns[1].metric(escaped(names[b.id]), percent(both["right_b"].mean()))
    for column in columns[:2]:
        column.caption(f"of {found['images']} images held out in both" + (f", {seeds}" if seeds else ""))
    columns[2].metric("Lead of the better", f"{100 * gain.value:+.1f} points")
    columns[2].caption(
        gain.over if low != low else f"95 % from {100 * low:+.1f} to {100 * high:+.1f}, over {gain.over}"
    )
    if found["p"] is not None:
        columns[3].metric("McNemar's p", p_value(found["p"]))
        columns[3].caption(
            "exact, two-sided; frames taken as independent" + (", first seed" if seeds else "")
        )
    if low != low:
        st.info(f"**Which is better can't be told**: there is {gain.over}.", icon=":material/balance:")
    elif low > 0:
        st.success(
            f"**{escaped(names[a.id])} is better than {escaped(names[b.id])}** on {found['images']} images held out "
            f"in both, by at least {100 * low:.1f} points at 95 %, over {gain.over}.",
            icon=":material/check:",
        )
    else:
        counts = (
            f" Both right on {found['both']}, both wrong on {found['neither']}, only the better right on "
            f"{found['only_a']}, only the other on {found['only_b']}" + (" (first seed)." if seeds else ".")
        )
        st.info(
            f"**Within noise**: on these {found['images']} images the difference could be zero."
            + (counts if found["p"] is not None else ""),
            icon=":material/balance:",
        )


def _images(run: StoredRun, rows: pd.DataFrame, heading: str, wrong: str) -> None:
    """Draw the disagreeing images as thumbnails, or as names where there are no crops."""
    st.markdown(f"**{escaped(heading)}**: {len(rows)}")
    shown = rows.head(MOST_IMAGES)[["name"]].assign(
        true=rows["label"].map(CLASSES.__getitem__), taken_for=rows[f"guess_{wrong}"].map(CLASSES.__getitem__)
    )

    def words(row: dict[Hashable, Any]) -> tuple[str, str]:
        true, taken = row["true"], row["taken_for"]
        return f"{true} → {taken}", f"{true} face that the other took for {taken}"

    if not crop_grid(run, shown, words) and len(shown):
        st.dataframe(shown, hide_index=True, alt=heading)
    if len(rows) > MOST_IMAGES:
        st.caption(f"The first {MOST_IMAGES} of {len(rows)}.")


def crop_grid(
    run: StoredRun, rows: pd.DataFrame, words: Callable[[dict[Hashable, Any]], tuple[str, str]]
) -> bool:
    """Draw the crops of images under a run's settings, each a link to its frame; False where there are none here.

    Args:
        rows: a row an image, `name` among its columns.
        words: what stands under an image and its text for screen readers, from its row.
    """
    facts, tiles = resources.crops_of(run), []
    for row in rows.to_dict("records"):
        name, (title, alt) = row["name"], words(row)
        if facts and (jpeg := facts.picture(name)):
            tiles.append(Tile(jpeg, title, name.rpartition("/")[2], alt, faces_link(run, frame=name)))
    grid(tiles, width=96)
    return bool(tiles)


def waited_for(lab: Lab) -> bool:
    """Draw the progress of a run that the link names as one of the two and that is under way; False for none."""
    named = [value for value in (st.query_params.get(side, "") for side in "ab") if value]
    runs = [run for run in lab.store.runs(ids=named) if run.status != "done"]
    for run in runs:
        with st.container(border=True):
            st.markdown(
                f"[**{escaped(run.name or title(run))}**]({run_link(run)}) with faces "
                f"*{escaped(label(run.config.faces))}*"
            )
            at_work.watched(lab, run.id, at_work.state(lab, run))
            st.caption(
                "Both runs show here, side by side, once it is done; it continues when you close this tab."
            )
    return any(not run.ended for run in runs)


def one_frame(a: StoredRun, b: StoredRun, name: str) -> None:
    """Draw a frame's crop and held-out answer in both runs."""
    st.subheader("This frame, before and after")
    for column, run in zip(st.columns(2, gap="large"), (a, b), strict=True):
        with column, st.container(border=True):
            _answer(run, name)
    st.caption(escaped(name))


def _answer(run: StoredRun, name: str) -> None:
    crop, words = st.columns([1, 2], vertical_alignment="center")
    if (facts := resources.crops_of(run)) and (jpeg := facts.picture(name)):
        crop.image(jpeg, caption="What it saw", alt=f"Crop of {name}", width="stretch")
    table = resources.finished_predictions(run)
    own = table[table["name"] == name]
    if own.empty:
        words.markdown("Left out of this run.")
        return
    true, status = int(own["label"].iloc[0]), own["face_status"].iloc[0]
    mean = probabilities_of(own).mean(axis=0)
    guess = int(np.argmax(mean))
    icon = ":material/check:" if guess == true else ":material/close:"
    words.markdown(
        f"{icon} **{CLASSES[guess]}** {percent(mean[guess])}  \n"
        f"true: **{CLASSES[true]}** {percent(mean[true])}  \n"
        f"face: **{status}**, {escaped(label(run.config.faces))}"
    )
