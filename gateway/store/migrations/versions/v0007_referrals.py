"""What has become of a NIK that does not work? One table of cases."""

from alembic import op

from gateway.store.referrals.tables import referrals

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is not there: a new database has it from the first."""
    referrals.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Open cases are lost."""
    referrals.drop(op.get_bind())
