"""Trades as the public sees them, and candles over them. In a schema of its own beside the first shard's ledger."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE history.trades (
            trade_id      bigint PRIMARY KEY,
            sequence      bigint NOT NULL,
            symbol        text COLLATE "C" NOT NULL,
            price_ticks   bigint NOT NULL,
            quantity_lots bigint NOT NULL,
            taker_side    smallint NOT NULL,
            time_ns       bigint NOT NULL
        );
        CREATE INDEX trades_by_symbol ON history.trades (symbol, trade_id);

        CREATE TABLE history.candles (
            symbol         text COLLATE "C" NOT NULL,
            width_s        integer NOT NULL,
            start_s        bigint NOT NULL,
            open_ticks     bigint NOT NULL,
            high_ticks     bigint NOT NULL,
            low_ticks      bigint NOT NULL,
            close_ticks    bigint NOT NULL,
            quantity_lots  bigint NOT NULL,
            trades         bigint NOT NULL,
            first_trade_id bigint NOT NULL,
            last_trade_id  bigint NOT NULL,
            PRIMARY KEY (symbol, width_s, start_s)
        );
        COMMENT ON TABLE history.candles IS
            'start_s: Unix time of the candle''s first moment. A trade counts in the candle of its gateway''s receipt.';
    """)
