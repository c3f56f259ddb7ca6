"""What are traffic and times summed up in, and when does an exemption end by itself? Two tables and a column."""

from alembic import op
from sqlalchemy import inspect

from gateway.store.audit.tables import traffic
from gateway.store.partners.tables import exemptions
from gateway.store.verification.tables import latencies

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is not there: a new database has all of it from the first."""
    bind = op.get_bind()
    for table in (traffic, latencies):
        table.create(bind, checkfirst=True)
    if "ends" not in {column["name"] for column in inspect(bind).get_columns(exemptions.name)}:
        op.add_column(exemptions.name, exemptions.c.ends.copy())


def downgrade() -> None:
    """Sums can be made again at any time; exemptions last until a person ends them."""
    for table in (latencies, traffic):
        table.drop(op.get_bind())
    op.drop_column(exemptions.name, "ends")
