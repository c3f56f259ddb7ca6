"""What does the console need? Tables of its people, their passkeys and sessions."""

from alembic import op

from gateway.store.staff.tables import ceremonies, invitations, members, passkeys, sessions

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    for table in (members, invitations, passkeys, ceremonies, sessions):
        table.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Whoever administers has the credentials of the API left."""
    for table in (sessions, ceremonies, passkeys, invitations, members):
        table.drop(op.get_bind())
