"""What predictions are worth: accuracy and per-class figures, calibration, intervals and paired tests.

scikit-learn, scipy and statsmodels do the arithmetic. They are imported where used: loading them takes over
a second, which a page that only lists runs need not wait for.

Throughout, `labels` and `predictions` are (N,) indices into `CLASSES`, `probabilities` (N, 7) rows that sum
to 1, and an interval is (low, high) at 95 %, (nan, nan) where too little is known to give one.
"""

from .calibration import apply_temperature, by_seed, ece, fit_temperature, reliability
from .intervals import Estimate, Interval, difference, seed_interval, share, wilson, wilson_intervals
from .paired import disagreements, first_seed_p, lead, mcnemar, paired, same_images
from .run_summary import accuracy, balanced_accuracy, class_figures, confusion, macro_f1, summary, two_sets
