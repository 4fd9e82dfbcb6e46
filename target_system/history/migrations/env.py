"""What alembic runs: the connection comes from target_system.history.migrate."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="history")
with context.begin_transaction():
    context.run_migrations()
