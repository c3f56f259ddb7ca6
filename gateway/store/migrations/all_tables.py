"""Which tables are there in all? Every folder of the store defines its own; here they come together."""

from __future__ import annotations

from gateway.store.audit import tables as audit
from gateway.store.base.tables import metadata
from gateway.store.commands import tables as commands
from gateway.store.feeds import tables as feeds
from gateway.store.ledger import tables as ledger
from gateway.store.partners import tables as partners
from gateway.store.referrals import tables as referrals
from gateway.store.register import tables as register
from gateway.store.sealing import tables as sealing
from gateway.store.search import tables as search
from gateway.store.staff import tables as staff
from gateway.store.verification import tables as verification

FOLDERS = (audit, commands, feeds, ledger, partners, referrals, register, sealing, search, staff, verification)
__all__ = ["FOLDERS", "metadata"]
