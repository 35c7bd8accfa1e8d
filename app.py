"""The web server: `streamlit run app.py`. Its first page is overview.py, the others lie in pages/."""

import streamlit as st

from fer_core.ui.shell.door import guards

app = st.App("overview.py", middleware=guards())
