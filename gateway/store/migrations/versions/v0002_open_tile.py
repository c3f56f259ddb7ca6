"""What does a check need to name a changed leaf before its tile is full? The hashes of that tile, kept beside the head."""

from alembic import op
from sqlalchemy import select

from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.log.tiles import WIDTH
from gateway.store.base.statements import put_many
from gateway.store.ledger.tables import ledger_entries, ledger_head, ledger_open
from gateway.store.migrations.all_tables import metadata

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables that came since, and keep what the entries of the last tile hash to now."""
    bind = op.get_bind()
    metadata.create_all(bind)
    size = bind.execute(select(ledger_head.c.size)).scalar_one()
    begun = size - size % WIDTH
    columns = ledger_entries.c
    wanted = select(columns.leaf).where(columns.leaf_index >= begun).order_by(columns.leaf_index)
    hashes = b"".join(leaf_hash(bytes(leaf)) for leaf in bind.execute(wanted).scalars())
    if hashes:
        put_many(bind, ledger_open, [(begun, hashes)])


def downgrade() -> None:
    """The hashes can be computed at any time."""
    ledger_open.drop(op.get_bind())
