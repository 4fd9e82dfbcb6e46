"""An order's story as lines for a terminal: a bar for each step on one time axis, then what the logs say of it."""

from __future__ import annotations

from analysis.story import Step, Story

WIDTH = 60
EIGHTHS = " ▏▎▍▌▋▊▉█"


def waterfall(story: Story) -> list[str]:
    order = ", ".join(f"{name} {value}" for name, value in story.order.items())
    whole_ms = story.duration_ns / 1e6
    lines = [f"trace {story.trace_id} of {story.window}: {whole_ms:.2f} ms", f"  {order}", ""]
    lines.append(f"{'step':24} {'of':10} {'from ms':>9} {'took ms':>9} {'own ms':>9}  0{whole_ms:>{WIDTH - 1}.1f} ms")
    lines += [_line(story, step) for step in story.steps]
    lines += ["", "own: its share of the critical path, what no step below it covers"]
    return lines + (["", *story.lines] if story.lines else ["", "no log lines were kept of it"])


def _line(story: Story, step: Step) -> str:
    name = "  " * step.depth + step.name
    begins, took = (step.start_ns - story.start_ns) / 1e6, (step.end_ns - step.start_ns) / 1e6
    figures = f"{begins:9.2f} {took:9.2f} {step.critical_ns / 1e6:9.2f}"
    return f"{name:24} {step.component:10} {figures}  {_bar(story, step)}"


def _bar(story: Story, step: Step) -> str:
    """At least a sliver, so that a step of microseconds is seen where it stood."""
    scale = WIDTH / max(story.duration_ns, 1)
    first = round((step.start_ns - story.start_ns) * scale * 8)
    last = max(round((step.end_ns - story.start_ns) * scale * 8), first + 1)
    cells = []
    for cell in range(WIDTH):
        filled = min(last, cell * 8 + 8) - max(first, cell * 8)
        cells.append(EIGHTHS[max(0, min(8, filled))])
    return "".join(cells).rstrip()
