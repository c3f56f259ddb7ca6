"""How does the program speak of itself? In structured lines on standard error."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_FIELDS = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_WRITTEN = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())


class _JsonLines(logging.Handler):
    """What libraries say (the database's driver and pool, the server, the event loop), as a line of our own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._formatter = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_FIELDS, _named],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_WRITTEN],
        )
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line in one piece."""
        try:
            self._stream.write(self._formatter.format(record) + "\n")
            self._stream.flush()
        except Exception:  # noqa: BLE001  as every handler does: to log must never fail
            self.handleError(record)


def configure_logging(level: str) -> None:
    """Structured logs, one JSON object a line, on standard error. No call is logged: the ledger is the record of calls.

    So is what libraries say, a warning of Python, and whatever ends a process or a thread without being caught.
    """
    structlog.configure(
        processors=[*_FIELDS, *_WRITTEN],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # Text and newline in one write: the processes of a node share the stream.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    root.handlers[:] = [_JsonLines(sys.stderr)]
    root.setLevel(max(logging.getLevelName(level.upper()), logging.WARNING))  # their news is not ours
    logging.captureWarnings(True)  # noqa: FBT003  its own signature
    log = structlog.get_logger("gateway")
    sys.excepthook = lambda kind, fault, at: log.critical("the process ends", exc_info=(kind, fault, at))
    threading.excepthook = lambda ended: log.critical("a thread has ended", exc_info=ended.exc_value)
    sys.unraisablehook = lambda lost: log.error("a fault could not be raised", exc_info=lost.exc_value)


def _named(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401  structlog's own
    record: logging.LogRecord = event["_record"]
    return {**event, "logger": record.name}
