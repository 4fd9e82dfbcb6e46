"""Benches: a part measured alone, and its rivals beside it in the same run, so that the ratio holds on any machine."""
