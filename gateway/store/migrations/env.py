"""How does Alembic reach the database? By the connection that `schema.upgrade` hands it."""

from alembic import context

from gateway.store.migrations.all_tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
