"""Which calls are about a NIK that does not work? A partner's and an office's; rows of the table of administration."""

from __future__ import annotations

from functools import partial

from gateway.administration.requests import partners, referrals
from gateway.web.api.rows import PAGED, CallRow

VERIFY, DIAGNOSE = "nik.verify", "register.diagnose"
PDF = b"application/pdf"
_row = partial(CallRow, tag="referrals")

REFERRAL_ROWS: tuple[CallRow, ...] = (
    _row("POST", "/v1/referrals", VERIFY, "open_referral", "Open a case about an own answer", referrals.NewReferral, 201,
         also=DIAGNOSE, location="/v1/referrals/{id}"),
    _row("GET", "/v1/referrals", VERIFY, "referrals", "Own cases", query=("state", "since", "regency", *PAGED), also=DIAGNOSE),
    _row("GET", "/v1/referrals/{id}", VERIFY, "referral", "One case", also=DIAGNOSE),
    _row("POST", "/v1/referrals/{id}/check", DIAGNOSE, "check_referral", "The office has looked at it", partners.Nothing),
    _row("POST", "/v1/referrals/{id}/mend", DIAGNOSE, "mend_referral", "What kept it from working is mended", partners.Nothing),
    _row("POST", "/v1/referrals/{id}/refer", DIAGNOSE, "refer_referral", "Another office goes on with it", referrals.ReferOn),
    _row("POST", "/v1/referrals/{id}/reject", DIAGNOSE, "reject_referral", "There is nothing to mend, for a coded reason",
         referrals.CaseRejection),
)  # fmt: skip
