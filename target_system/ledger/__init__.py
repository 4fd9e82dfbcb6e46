"""The ledger: what was promised, in Postgres; the projection of it in Redis; and what keeps the two in step."""
