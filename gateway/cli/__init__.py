"""What does a person type? `nik-gateway …`: exit 0 done, 1 a fault was found, 2 could not run."""

import gc

gc.disable()  # what is loaded is no garbage: looking for it again and again took a third of the time of a short command

from gateway.cli.main import main  # noqa: E402  so that its loading is not interrupted either

gc.freeze()
gc.enable()

__all__ = ["main"]
