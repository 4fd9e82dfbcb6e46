"""The order pipeline under test: gateways, ledger, engine and the process that keeps them in step."""
