"""Runs carried out in the calling process, and what every other executor does differently."""

from fer_core.config.settings import Settings

from .worker import run_worker


class Inline:
    """The calling process; base of every executor."""

    def submit(self, settings: Settings) -> None:
        """See to it that queued runs get carried out; only this one returns when that is done, the others at once.

        Raises:
            ConfigError: a package or a setting that the executor needs is missing.
            StoreError: a worker of another host uses the database.
        """
        self.work(settings, until_idle=True)

    def work(self, settings: Settings, *, until_idle: bool, only: str | None = None) -> None:
        """Be what carries runs out, until stopped or until nothing is left: the command `worker`.

        `only` restricts it to one run.
        """
        run_worker(settings, until_idle=until_idle, only=only)

    def cancel(self, settings: Settings, run_id: str) -> None:
        """Take back what was started for a run that is cancelled; a worker looks at the row, so there is nothing."""

    def describe(self, settings: Settings) -> str:
        """Say in a few words where runs are carried out. Raises ConfigError."""
        return f"this process, device {settings.device}"
