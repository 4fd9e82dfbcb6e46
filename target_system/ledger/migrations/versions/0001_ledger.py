"""Commands, trades and API keys. Rows are inserted once and never updated.

The cost of an insert bounds the whole pipeline, so there are few indexes. Trades need no index on their own id: a
command's trades are inserted in the statement that inserts the command, and only if that row is new.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE commands (
            sequence        bigint PRIMARY KEY,
            order_id        bigint NOT NULL,
            price_ticks     bigint NOT NULL,
            quantity_lots   bigint NOT NULL,
            filled_lots     bigint NOT NULL,
            resting_lots    bigint NOT NULL,
            cancelled_lots  bigint NOT NULL,
            received_ns     bigint NOT NULL,
            recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
            account         integer NOT NULL,
            kind            smallint NOT NULL,
            side            smallint NOT NULL,
            order_type      smallint NOT NULL,
            time_in_force   smallint NOT NULL,
            outcome         smallint NOT NULL,
            reason          smallint NOT NULL,
            client_order_id text COLLATE "C" NOT NULL,
            symbol          text COLLATE "C",
            UNIQUE (account, client_order_id)
        );
        COMMENT ON TABLE commands IS
            'One row for each sequence number of the engine. kind, side, order_type, time_in_force, outcome and reason '
            'are the numbers of the enums in engine.proto; symbol is null where a command names none (a cancel).';

        CREATE TABLE trades (
            sequence        bigint NOT NULL,
            trade_id        bigint NOT NULL,
            taker_order_id  bigint NOT NULL,
            maker_order_id  bigint NOT NULL,
            price_ticks     bigint NOT NULL,
            quantity_lots   bigint NOT NULL,
            taker_account   integer NOT NULL,
            maker_account   integer NOT NULL,
            taker_side      smallint NOT NULL,
            symbol          text COLLATE "C" NOT NULL,
            PRIMARY KEY (sequence, trade_id)
        );
        CREATE INDEX trades_by_maker ON trades (maker_order_id);

        CREATE TABLE api_keys (
            key_sha256 bytea PRIMARY KEY,
            account    integer NOT NULL
        );
    """)
