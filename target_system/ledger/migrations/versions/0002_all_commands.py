"""What replace, mass cancel, kill switch and cancel on disconnect need: what a command removed, operators, leases."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE commands
            ADD COLUMN self_trade_prevention smallint NOT NULL DEFAULT 0,
            ADD COLUMN removals jsonb;
        COMMENT ON COLUMN commands.removals IS
            'Order id -> lots, for resting orders that this command took out or shrank without trading with them: '
            'mass cancel, kill, self-trade prevention. Null where there are none.';
        CREATE INDEX commands_replacing ON commands (order_id) WHERE kind = 3;
        CREATE INDEX commands_removing ON commands USING gin (removals) WHERE removals IS NOT NULL;

        ALTER TABLE api_keys ADD COLUMN is_operator boolean NOT NULL DEFAULT false;

        CREATE TABLE sessions (
            account     integer PRIMARY KEY,
            number      bigint GENERATED ALWAYS AS IDENTITY,
            lease_until timestamptz NOT NULL
        );
        COMMENT ON TABLE sessions IS
            'Accounts that asked for cancel on disconnect. The settler cancels the orders of one whose lease ran out, '
            'under the identity ~d<number>, and then removes the row. On the first shard only.';
    """)
