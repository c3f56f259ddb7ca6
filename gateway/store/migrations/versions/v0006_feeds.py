"""Where do the feeds of regency offices stand, and whom does a gap in one touch? Six tables beside the register."""

from alembic import op

from gateway.store.feeds.tables import feed_batches, feed_consolidations, feed_held, feeds
from gateway.store.partners.tables import feed_offices
from gateway.store.register.tables import feed_touched

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = (feeds, feed_batches, feed_held, feed_touched, feed_offices, feed_consolidations)


def upgrade() -> None:
    """Create what is not there: a new database has it from the first."""
    for table in _TABLES:
        table.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """What was held is lost; its senders have it still."""
    for table in reversed(_TABLES):
        table.drop(op.get_bind())
