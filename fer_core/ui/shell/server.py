"""What a server does once, before its first visitor."""

import sys
from functools import cache

import streamlit as st
from starlette.formparsers import MultiPartParser

from fer_core.ui.cache.predictors import warm_up

#: Bytes of an upload that stay in memory: more than the configuration lets in.
IN_MEMORY = 1 << 30

#: Seconds that a thread of Python's holds the others off. A pass through a network lets go of the interpreter in each
#: of its hundreds of operations; at Python's 5 ms each, two busy pages make an answer's 0.1 s four seconds long.
HELD = 0.0005


@cache
def started() -> None:
    """Keep uploads in memory and load a model ahead; nothing where pages run without a server."""
    if st.runtime.exists():
        sys.setswitchinterval(HELD)
        keep_uploads_in_memory()
        warm_up()


def keep_uploads_in_memory() -> None:
    """Have the parser of uploads hold every file in memory: above a megabyte it would write a temporary file.

    Streamlit 1.67 leaves this to Starlette, whose setting is a class attribute. The size limits hold before it.
    """
    MultiPartParser.spool_max_size = IN_MEMORY
