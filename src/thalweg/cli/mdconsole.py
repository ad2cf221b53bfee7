"""How `thalweg md` talks: one live line in a terminal, plain lines now and then without one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.text import Text

from thalweg.cli.live import LiveConsole
from thalweg.cli.output import duration
from thalweg.production import Plan, ProductionProgress, Start


class MdConsole(LiveConsole):
    """An Observer on a console, and the Ctrl-C handler."""

    refresh, plain_interval = 4.0, 10.0

    _latest: ProductionProgress | None = None
    _interrupted = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, the first Ctrl-C or SIGTERM ends the trajectory where it stands; a second one ends the process."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def hear(*_: Any) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        for number in before:
            signal.signal(number, hear)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stopped(self) -> bool:
        """Whether the user has asked to stop."""
        return self._interrupted

    def progress(self, progress: ProductionProgress) -> None:
        """Keep it for the live line; without a terminal, a line now and then."""
        self._latest = progress
        if self._line_is_due():
            self.insist(progress_line(progress))

    def say(self, text: str) -> None:
        """A line, unless quiet."""
        if not self._quiet:
            self.insist(text)

    def insist(self, text: str) -> None:
        """A line, also when quiet."""
        self._print(Text(text))

    def _panel(self) -> Text:
        return Text("starting" if self._latest is None else progress_line(self._latest))


def progress_line(progress: ProductionProgress) -> str:
    """Where it stands, in one line."""
    parts = [f"step {progress.step:,}/{progress.n_steps:,}", f"{progress.time_ps:.2f} ps"]
    if progress.temperature is not None:
        parts.append(f"{progress.temperature:.0f} K")
    if progress.pressure_gpa is not None:
        parts.append(f"{progress.pressure_gpa:.2f} GPa")
    if progress.bound is not None:
        parts.append(f"largest bound {progress.bound:.2f} eV/Å")
    if progress.steps_per_second:
        left = (progress.n_steps - progress.step) / progress.steps_per_second
        parts += [f"{_rounded(progress.steps_per_second)} steps/s", f"{duration(left)} to go"]
    return " | ".join(parts)


def _rounded(value: float) -> str:
    """Three digits, without an exponent: 1,234 or 12.3 or 0.0123."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def opening_line(start: Start, plan: Plan, folder: Path, threads: int) -> str:
    """What is about to be done."""
    held = {
        "nve": "constant energy",
        "nvt": f"{plan.temperature:g} K",
        "npt": f"{plan.temperature:g} K, {plan.pressure_gpa:g} GPa ({plan.coupling})",
    }[plan.ensemble]
    formula = start.structure.to_atoms().get_chemical_formula()
    length = plan.n_steps * plan.timestep_fs / 1000.0
    guard = "no halt" if plan.halt is None else f"halts above {plan.halt:g} eV/Å"
    known = "".join(f", {remark}" for remark in start.structure.remarks)
    velocities = "velocities drawn" if start.velocities is None else "velocities of the file"
    return (
        f"{formula}: {len(start.structure)} atoms{known}, {held}, {length:g} ps in steps of {plan.timestep_fs:g} fs, "
        f"{velocities}, {guard}, {threads} thread{'s' if threads > 1 else ''} -> {folder}"
    )


def closing_lines(summary: dict[str, Any]) -> list[str]:
    """What came out, and what to do next."""
    timing = summary["timing"]
    lines = [
        f"{summary['state']} at step {summary['step']}, {summary['time_ps']:.3f} ps",
        *_averages(summary),
    ]
    if parted := summary.get("parted"):
        lines.append(f"from {parted['time_ps']:.2f} ps on it is another system: {parted['what']}")
    worst = summary["largest_bound"]
    if worst:
        lines.append(f"largest bound {worst['bound']:.2f} eV/Å, atom {worst['atom']} at step {worst['step']}")
    drift = summary["energy_drift_meV_per_atom_ps"]
    if drift is not None:
        lines.append(f"drift of the total energy {drift:.2g} meV/atom/ps")
    if timing["steps"]:
        lines.append(
            f"{_rounded(timing['steps_per_second'])} steps/s, {timing['us_per_atom_step']:.3g} µs per atom and step, "
            f"{_rounded(timing['ns_per_day'])} ns/day, {timing['peak_memory_MB']:.0f} MB"
        )
    lines += _next_steps(summary)
    return lines


def _averages(summary: dict[str, Any]) -> list[str]:
    """Means with their errors, and apart from these how far single values fluctuate."""
    averages, averaged = summary["averages"], summary["averaged"]
    begin = f" from {averaged['from_ps']:g} ps on" if averaged["from_ps"] else ""
    if not averages:
        return [f"no averages: they begin at {averaged['from_ps']:g} ps"] if begin else []
    units = {"temperature_K": "K", "pressure_GPa": "GPa", "volume_A3": "Å³"}
    numbers = [_mean(averages[name], unit) for name, unit in units.items() if name in averages]
    if averaged["rows"] == 1:
        return [f"the only row of the log{begin}: {', '.join(numbers)}"]
    return [f"mean{begin} ± its standard error (sd: of single values): {', '.join(numbers)}"]


def _mean(one: dict[str, float | None], unit: str) -> str:
    if one["sd"] == 0.0:  # a constant, or the only row
        return f"{one['mean']:.6g} {unit}"
    error = "(unknown: too short)" if one["error_of_mean"] is None else f"{one['error_of_mean']:.2g}"
    return f"{one['mean']:.6g} ± {error} {unit} (sd {one['sd']:.2g})"


def _next_steps(summary: dict[str, Any]) -> list[str]:
    files = summary["files"]
    if summary["state"] == "interrupted":
        return ["interrupted; everything is saved, and the same command continues"]
    if summary["state"] == "finished":
        return [f"trajectory {files['trajectory']}, log {files['log']}; more --steps continue from here"]
    halted = summary["halted"]
    large = summary["n_atoms"] > 100
    cure = (
        f"thalweg carve {halted['file']} --model MODEL -o cell.extxyz; thalweg queue RUN cell.extxyz"
        if large
        else f"thalweg queue RUN {halted['file']}"
    )
    regardless = "To continue regardless, use a larger --halt, or --halt off"
    if not halted["event"].startswith("break"):
        regardless = "If steps are too long for the motion, use a shorter --timestep"
    return [
        f"halted: {halted['reason']}; that structure is in {halted['file']}",
        f"to teach the potential: {cure}; then thalweg run. {regardless}",
    ]
