r"""Data sets whose files' names say everything: label, person and pose, by known patterns or a given one.

JAFFE (Lyons et al. 1998): KA.AN1.39.tiff. KDEF (Lundqvist et al. 1998): AF01ANFL.JPG, whose last letters are the pose.
RaFD (Langner et al. 2010): Rafd090_01_Caucasian_female_angry_frontal.jpg, whose first number is the camera's angle.
Any other: `--label-pattern '^(?P<group>S\d+)_(?P<label>[a-z]+)'`; an image that it isn't found in is left out.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fer_core.config.patterns import Pattern
from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble
from fer_core.datasets.readers.meanings.grouping import LABEL, compiled, found_by
from fer_core.datasets.readers.meanings.labels import parse_split

#: About how many names are looked at before all are.
SOME = 100

PATTERNS: dict[str, str] = {
    "jaffe": r"^(?P<group>[A-Z]{2})\.(?P<label>AN|DI|FE|HA|NE|SA|SU)\d\.\d+",
    "kdef": r"^(?P<session>[AB])(?P<group>[FM]\d{2})(?P<label>AF|AN|DI|HA|NE|SA|SU)(?P<pose>FL|HL|S|HR|FR)\b",
    "rafd": r"^Rafd(?P<pose>\d{3})_(?P<group>\d{2})_\w+?_(?:fe)?male_(?P<label>[a-z]+)_(?:frontal|left|right)",
}


def _pattern(name: str, source: Source) -> Pattern:
    given = source.reading.label_pattern if name == "names" else None
    return compiled(PATTERNS.get((given or name).casefold(), given or "()"), LABEL)


def _found(source: Source, pattern: Pattern) -> tuple[dict[str, Any], list[str], tuple[Problem, ...]]:
    files, problems = source.files
    names = [name for name, _ in files]
    matches = dict(zip(names, found_by(pattern, names), strict=True))
    return {name: match for name, match in matches.items() if match}, names, problems


def by_name(layout: str) -> Layout:
    """Return the layout of a data set in `PATTERNS`, or 'names' for a pattern that was declared."""

    def recognises(source: Source) -> bool:
        if layout == "names" or not source.path.is_dir():
            return source.path.is_dir() and source.reading.label_pattern is not None
        pattern, names = _pattern(layout, source), [name for name, _ in source.files[0]]
        if not any(found_by(pattern, names[:: max(1, len(names) // SOME)])):
            return False  # thousands of names take a while
        return 2 * len(_found(source, pattern)[0]) > len(names)

    def read(source: Source) -> Dataset:
        matched, names, problems = _found(source, _pattern(layout, source))
        known = (source.reading.label_pattern or "").casefold() if layout == "names" else layout

        def rows() -> Iterator[Row | Problem]:
            yield from problems
            for name in names:
                if name not in matched:
                    yield Problem(name, "its name is not as the label pattern says")
                    continue
                said = matched[name].groupdict()
                split = next((part for part in name.split("/")[:-1] if parse_split(part)), "")
                label = said.get("label") or (matched[name][1] if "label" not in said else "")
                yield Row("", name, label or "", split, said.get("group") or "", said.get("clip") or "")

        poses = Counter(pose for match in matched.values() if (pose := match.groupdict().get("pose")))
        remarks = (
            [f"Poses: {', '.join(f'{pose} ({images})' for pose, images in poses.most_common())}"]
            if poses
            else []
        )
        root, usual = source.path.absolute(), known if known in PATTERNS else None
        return assemble(
            source,
            rows(),
            layout=layout,
            root=root,
            usual_map=usual,
            name=root.name,
            what="It",
            remarks=remarks,
        )

    return Layout(recognises, read)
