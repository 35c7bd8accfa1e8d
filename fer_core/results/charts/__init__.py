"""Tables to figures, in Plotly where people point and zoom and in Altair for small multiples.

Each function takes a tidy table and returns a figure without a title (pages give headings); `describe` returns its
content in words. Plotly and Altair are imported where used, as loading them takes long.
"""

from .accuracy import accuracy_intervals as accuracy_intervals
from .accuracy import paper_vs_here as paper_vs_here
from .comparators import class_differences as class_differences
from .comparators import direction_losses as direction_losses
from .comparators import distance_map as distance_map
from .comparators import distance_table as distance_table
from .comparators import faces_svg as faces_svg
from .comparators import profile_table as profile_table
from .comparators import profiles as profiles
from .comparators import protocol_ladder as protocol_ladder
from .comparators import two_directions as two_directions
from .curves import learning_curves as learning_curves
from .curves import overlaid_curves as overlaid_curves
from .data import class_bars as class_bars
from .data import status_bars as status_bars
from .predictions import confusion as confusion
from .predictions import face_map as face_map
from .predictions import per_class_figures as per_class_figures
from .predictions import probabilities as probabilities
from .predictions import reliability as reliability
from .style import describe as describe
from .style import on_white as on_white
