"""What a server keeps between reruns: the only st.cache_*."""
