"""The portfolio in Postgres (`target_system.risk.in_postgres`): a projection as Redis is one, so it is unlogged."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE UNLOGGED TABLE risk_progress (sequence bigint NOT NULL);
        CREATE UNLOGGED TABLE risk_accounts (
            account integer PRIMARY KEY, second bigint NOT NULL, notional bigint NOT NULL
        );
        CREATE UNLOGGED TABLE risk_exposures (
            account integer, symbol text COLLATE "C", position bigint NOT NULL, open_buy bigint NOT NULL,
            open_sell bigint NOT NULL, PRIMARY KEY (account, symbol)
        );
        CREATE UNLOGGED TABLE risk_reservations (
            account integer, name text COLLATE "C", symbol text COLLATE "C" NOT NULL, is_buy boolean NOT NULL,
            lots bigint NOT NULL, until timestamptz NOT NULL, PRIMARY KEY (account, name)
        );

        -- No row: the order is counted in, or was before. A row: what it would have come on top of.
        CREATE FUNCTION risk_reserve(
            _account integer, _name text, _symbol text, _is_buy boolean, _lots bigint, _notional bigint,
            _position_max bigint, _notional_max bigint, _hold_s double precision
        ) RETURNS TABLE (held bigint, buying bigint, selling bigint, sent bigint) LANGUAGE plpgsql AS $$
        DECLARE
            _second bigint := extract(epoch FROM clock_timestamp())::bigint;
        BEGIN
            PERFORM set_config('synchronous_commit', 'off', true);
            INSERT INTO risk_accounts VALUES (_account, _second, 0) ON CONFLICT DO NOTHING;
            SELECT CASE second WHEN _second THEN notional ELSE 0 END INTO sent
                FROM risk_accounts WHERE account = _account FOR UPDATE;
            IF EXISTS (SELECT FROM risk_reservations WHERE account = _account AND name = _name) THEN
                RETURN;
            END IF;
            -- One statement, so that an order that settles now is seen on one side or the other.
            SELECT coalesce(max(e.position), 0),
                coalesce(max(e.open_buy), 0) + coalesce(sum(r.lots) FILTER (WHERE r.is_buy), 0),
                coalesce(max(e.open_sell), 0) + coalesce(sum(r.lots) FILTER (WHERE NOT r.is_buy), 0)
                INTO held, buying, selling
                FROM (SELECT) AS nothing
                LEFT JOIN risk_exposures e ON e.account = _account AND e.symbol = _symbol
                LEFT JOIN risk_reservations r
                    ON r.account = _account AND r.symbol = _symbol AND r.until > clock_timestamp();
            IF (CASE WHEN _is_buy THEN held + buying ELSE selling - held END) + _lots > _position_max
                OR sent + _notional > _notional_max THEN
                RETURN NEXT;
                RETURN;
            END IF;
            INSERT INTO risk_reservations
                VALUES (_account, _name, _symbol, _is_buy, _lots, clock_timestamp() + make_interval(secs => _hold_s));
            UPDATE risk_accounts SET second = _second, notional = sent + _notional WHERE account = _account;
        END $$;

        -- False: something before the run of sequence numbers is lacking.
        CREATE FUNCTION risk_settle(
            _first bigint, _last bigint, _accounts integer[], _symbols text[], _positions bigint[], _buys bigint[],
            _sells bigint[], _settled integer[], _names text[]
        ) RETURNS boolean LANGUAGE plpgsql AS $$
        DECLARE
            _mark bigint;
        BEGIN
            PERFORM set_config('synchronous_commit', 'off', true);
            PERFORM pg_advisory_xact_lock(hashtext('risk_settle'));
            SELECT coalesce(max(sequence), 0) INTO _mark FROM risk_progress;
            IF _first > _mark + 1 THEN
                RETURN false;
            ELSIF _last > _mark THEN
                INSERT INTO risk_exposures SELECT * FROM unnest(_accounts, _symbols, _positions, _buys, _sells)
                    ON CONFLICT (account, symbol) DO UPDATE SET position = excluded.position,
                        open_buy = excluded.open_buy, open_sell = excluded.open_sell;
                DELETE FROM risk_reservations r USING unnest(_settled, _names) AS s (account, name)
                    WHERE r.account = s.account AND r.name = s.name;
                DELETE FROM risk_reservations WHERE until <= clock_timestamp();
                IF _mark = 0 THEN
                    DELETE FROM risk_progress;
                    INSERT INTO risk_progress VALUES (_last);
                ELSE
                    UPDATE risk_progress SET sequence = _last;
                END IF;
            END IF;
            RETURN true;
        END $$;
    """)
