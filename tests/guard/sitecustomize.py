"""Python imports this by itself wherever this folder is on its path: the guard stands in what the tests start."""

import signal_guard

signal_guard.install()
