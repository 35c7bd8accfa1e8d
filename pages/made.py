"""How an answer was made: pictures, faces, settings, accuracy with its interval, leaks, lost faces."""

import streamlit as st

from fer_core.prediction.answers import MEANING
from fer_core.ui.predict import made
from fer_core.ui.shell.setup import setup

with setup("How it was made") as lab:
    st.caption(MEANING)
    made.draw(made.choose(lab))
