"""Trades and candles for reading back: written beside the order path, from the market data's stream and the ledger."""
