"""Floor 4: the only part of fer_core that knows Streamlit."""
