"""Looks through the installed packages for components once: each AppTest and each server would, for 0.4 s."""

from streamlit.components.v2 import manifest_scanner

_found = manifest_scanner.scan_component_manifests()
manifest_scanner.scan_component_manifests = lambda max_workers=None: _found
