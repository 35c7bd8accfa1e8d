"""Tables to figures, in Plotly where people point and zoom, in Altair for small multiples and
what a first answer waits for: a browser reads a sixth as much for it.

Each function takes a tidy table and returns a figure without a title (pages give headings); `describe` returns its
content in words. A module, and with it the library that it draws with, is loaded when one of its functions is asked
for: `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
