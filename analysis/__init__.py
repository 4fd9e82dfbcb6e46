"""Findings from a sealed run: pure functions of what was recorded, so that an old run can be judged again."""
