"""What does a new database hold? Every table of the first release, and an empty ledger."""

from alembic import op
from sqlalchemy import insert

from gateway.store.ledger.tables import ledger_head
from gateway.store.migrations.all_tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and the ledger's head."""
    bind = op.get_bind()
    metadata.create_all(bind)
    bind.execute(insert(ledger_head).values(one=1, size=0, frontier=b""))


def downgrade() -> None:
    """There is nothing before it."""
    metadata.drop_all(op.get_bind())
