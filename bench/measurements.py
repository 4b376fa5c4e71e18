"""Measurements: each runs in a process of its own, within its time, so that none meets what another left behind."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import machine
from bench.children import Child, ChildError, answer
from bench.figures import Figures, Goal


@dataclass(frozen=True, slots=True)
class Measurement:
    """What `--only` calls it, the function that gives its figures, the keys that it must give, and its time in seconds."""

    name: str
    function: str
    keys: tuple[str, ...]
    deadline: float

    def run(self) -> dict[str, float | int | None]:
        """Measure, in this process."""
        module, _, function = self.function.rpartition(".")
        return getattr(importlib.import_module(module), function)()


def main(module: str, title: str, goals: Sequence[Goal], measurements: Sequence[Measurement]) -> int:
    """Measure all, or those named with `--only`; print the table and, as the last line, the figures as one JSON object."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=title)
    names = [one.name for one in measurements]
    parser.add_argument("--only", choices=names, action="append", help="measure this alone; may be repeated")
    parser.add_argument("--child", choices=names, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        answer(next(one for one in measurements if one.name == chosen.child).run())
        return 0
    wanted = [one for one in measurements if not chosen.only or one.name in chosen.only]
    figures = Figures()
    print(f"{title}\n{machine.description()}; {time.strftime('%Y-%m-%d %H:%M')}; load {machine.load():.2f}", flush=True)
    for one in wanted:
        began = time.monotonic()
        before, pace = machine.load(), machine.step_ns()
        _measure(module, one, figures)
        took = f"{time.monotonic() - began:.0f} s"
        print(
            f"  {one.name}: {took}; before it load {before:.2f} and {pace:.1f} ns for a step of an empty loop",
            file=sys.stderr,
            flush=True,
        )
    for one in [one for one in measurements if one not in wanted]:
        figures.miss(one.keys, f"left out: --only {' '.join(chosen.only or [])}")
    print(f"\n{figures.table(goals)}\n")
    print(figures.line(goals))
    return 0


def _measure(module: str, measurement: Measurement, figures: Figures) -> None:
    with Child(module, "--child", measurement.name) as child:
        try:
            figures.take(child.answer(measurement.deadline))
        except ChildError as error:
            figures.miss(measurement.keys, str(error).splitlines()[-1].strip()[:200])
        else:
            figures.miss(measurement.keys, "the measurement did not give it")
