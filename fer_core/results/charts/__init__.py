"""Tables to figures, in Plotly where people point and zoom and in Altair for small multiples.

Each function takes a tidy table and returns a figure without a title (pages give headings); `style.describe` returns
its content in words. Plotly and Altair are imported where used, as loading them takes long.
"""
