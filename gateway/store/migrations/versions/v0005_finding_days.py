"""What are findings made from without reading the log? Sums by partner and day, which the follower fills by itself."""

from alembic import op

from gateway.store.search.tables import finding_days

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is not there: a new database has it from the first."""
    finding_days.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """It can be made again at any time."""
    finding_days.drop(op.get_bind())
