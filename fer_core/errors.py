"""The errors users meet. Each message names the rule, the value met and the fix."""


class FerError(Exception):
    """What every error meant for a user derives from.

    Args:
        rule: what must hold, as a full clause ("k must be at least 2").
        got: the value met, in words or as its repr; left out when there is none.
        fix: what the user can do about it.
    """

    def __init__(self, rule: str, *, got: object = None, fix: str = "") -> None:
        self.rule, self.got, self.fix = rule, got, fix
        parts = [rule if got is None else f"{rule}; got {got}"]
        if fix:
            parts.append(fix)
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")


class ConfigError(FerError):
    """A setting or a run's definition is out of its range."""


class DataError(FerError):
    """A data set, an image or a label can't be used as it is."""


class UndrawnError(DataError):
    """The generated data set isn't there yet; a page says how far it is."""


class UnopenedError(DataError):
    """A data set can't be opened as it is declared; a page leads to where that is said otherwise."""


class WeightsError(FerError):
    """Pretrained weights are missing, damaged or of another architecture."""


class StoreError(FerError):
    """The database or an artifact is missing, damaged or of another version."""


class NotFoundError(StoreError):
    """No such run, image or artifact."""


class TrainingError(FerError):
    """A run can't continue: a NaN loss, an empty class, no memory."""


class BusyError(FerError):
    """Too much is asked for at once: a limit per visitor or overall; the message says when to try again."""


class Cancelled(Exception):
    """Raised inside a run when its user asked for it to stop; not a failure."""


class LeaseLost(Cancelled):
    """Another worker holds this run now, so nothing more of this attempt may be written."""


class WorkerStopped(Cancelled):
    """The worker was asked to end; the run goes back to the queue and loses nothing."""


class AttemptLost(Exception):
    """A process or host that computed for the run is gone; another attempt continues from the last checkpoint."""
