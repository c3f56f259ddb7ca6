"""Why may a partner's agreement or client be stopped? Codes, so that whoever counts them later can."""

from __future__ import annotations

BY_HAND = ("breach", "incident", "dispute", "request", "dpia_outdated", "balance_exhausted", "by_law")
"""What a person names who suspends an agreement, or a purpose of it."""
AGREEMENT = (*BY_HAND, "semester_report_overdue", "return_data_overdue")
"""Those, and what the gateway finds by itself."""
CLIENT = ("key_compromised", "breach", "incident", "request", "unused", "by_law")
"""What a person names who stops a client."""
