"""Benches: a part measured alone, and its rivals beside it in the same run, so that the ratio holds on any machine."""


class BenchError(Exception):
    """A bench could not measure; the text says what failed."""
