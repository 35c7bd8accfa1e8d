"""Figures turned once into what the browser is sent: Streamlit would turn and check them anew on every visit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any


def ready(figure: Any) -> Any:
    """Have a Plotly or Altair figure remember its document at its first drawing, and return it.

    It is shared and must stay as it is from here on. Copies of it (`charts.style.on_white`) make their own.
    """
    make = figure.to_dict if hasattr(figure, "update_layout") else lambda: _vega_lite(figure)
    # Over the class's method, on this figure alone; Altair and Plotly take other attributes for parts of the figure.
    object.__setattr__(figure, "to_dict", _once(make))
    return figure


def _once(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def document() -> dict[str, Any]:
        if not made:
            made.append(make())
        return dict(made[0])  # Streamlit puts its own entries at the top

    return document


def _vega_lite(chart: Any) -> dict[str, Any]:
    """Return an Altair chart's document, its tables in Arrow's format under names that their contents decide.

    Only Streamlit's drawing may call it, under the lock that it holds: Altair's transformer is one for all threads.
    """
    import altair as alt
    import pyarrow as pa

    tables: dict[str, pa.Table] = {}

    def keep(data: Any) -> dict[str, str]:
        table = pa.Table.from_pandas(data)
        written = pa.BufferOutputStream()
        with pa.ipc.new_stream(written, table.schema) as stream:
            stream.write_table(table)
        name = hashlib.sha256(written.getvalue()).hexdigest()
        tables[name] = table
        return {"name": name}

    alt.data_transformers.register("fer_tables", keep)
    with alt.data_transformers.enable("fer_tables"):
        # The class's own method: the chart's has been replaced.
        document = type(chart).to_dict(chart)
    return {**document, "datasets": tables}
