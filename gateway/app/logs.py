"""How does the program speak of itself? In structured lines on standard error."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging(level: str) -> None:
    """Structured logs, one JSON object a line, on standard error. No call is logged: the ledger is the record of calls."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # Text and newline in one write: the processes of a node share the stream.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
