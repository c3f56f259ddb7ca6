"""What does a person type? `nik-gateway …`: exit 0 done, 1 a fault was found, 2 could not run."""

from gateway.cli.main import main

__all__ = ["main"]
