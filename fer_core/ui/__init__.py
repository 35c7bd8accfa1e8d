"""Floor 4: the only part of fer_core that knows Streamlit."""

import logging

# A server imports the pages before Streamlit's runtime stands, which changes nothing: caches are chosen at first use.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(
    lambda record: "No runtime found" not in record.getMessage()
)
