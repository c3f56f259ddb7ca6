"""Which calls are a regency office's? Rows of the table of administration."""

from __future__ import annotations

from functools import partial

from gateway.administration.requests import feeds
from gateway.web.api.rows import CallRow

FEED, DIAGNOSE = "register.feed", "register.diagnose"
_row = partial(CallRow, tag="feeds")

FEED_ROWS: tuple[CallRow, ...] = (
    _row("POST", "/v1/feeds/{regency}/batches", FEED, "take_batch", "Send a batch of changes", feeds.FeedBatch, large=True,
         answers="BatchTaken", otherwise=("held", 202)),
    _row("GET", "/v1/feeds", FEED, "own_feeds", "The own feeds", also=DIAGNOSE),
    _row("GET", "/v1/feeds/{regency}", FEED, "feed", "Where the own feed stands", also=DIAGNOSE),
    _row("GET", "/v1/feeds/{regency}/coming", FEED, "coming", "Own residents who turn 17 without biometrics", query=("days",),
         also=DIAGNOSE),
    _row("POST", "/v1/feeds/{regency}/consolidations", FEED, "consolidate", "Close a gap by hand: look at it, or propose it",
         feeds.NewConsolidation, 202, large=True, otherwise=("would", 200)),
    _row("GET", "/v1/freshness", "", "freshness", "Until when every regency is complete"),
    _row("POST", "/v1/register/diagnose", DIAGNOSE, "diagnose", "Why the NIK of an own resident does not work", feeds.Diagnosis,
         posted=True),
)  # fmt: skip
