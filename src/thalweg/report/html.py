"""The page: sections in one file that needs nothing else. Every word from outside is escaped."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from shlex import quote

from thalweg.report import figures, figures_run
from thalweg.report.data import AUDIT, HANDED, PROBE, PROPERTY, QUERY, REFERENCE, RELAX, SEED, ReportData
from thalweg.report.properties import property_table
from thalweg.report.structure3d import gallery
from thalweg.report.tables import failure_table, plain_table, query_table, waiting_table, walked_table
from thalweg.report.verdict import verdict
from thalweg.report.volumes import volume_table

SECTIONS = (
    ("learning", "Learning"),
    ("calibration", "Calibration"),
    ("audit", "Audit"),
    ("queries", "Questions and answers"),
    ("failures", "Failures"),
    ("cost", "Cost"),
    ("walkers", "Walkers"),
    ("structures", "Most uncertain structures"),
    ("properties", "Properties"),
    ("settings", "Settings"),
    ("use", "How to use the potential"),
)
"""Identifier and heading of each section, in the page's order."""


def page(data: ReportData) -> str:
    """The whole page as HTML text."""
    bodies = {
        "learning": figures.learning_curve(data),
        "calibration": _grid(figures.calibration_scatter(data), figures.reliability_curve(data)),
        "audit": _grid(figures.audit_curve(data), figures.audit_errors(data)) + walked_table(data),
        "queries": waiting_table(data) + query_table(data),
        "failures": failure_table(data),
        "cost": _grid(figures_run.cost_curve(data), figures_run.oracle_times(data)),
        "properties": property_table(data),
        "walkers": volume_table(data)
        + figures_run.walker_uncertainty(data)
        + _grid(figures_run.temperature_check(data), figures_run.walker_table(data)),
        "structures": gallery(data.portraits),
        "settings": _settings(data),
        "use": _use(data),
    }
    sections = "".join(
        f'<section id="{key}"><h2>{heading}</h2>{bodies[key] or _none(key)}</section>'
        for key, heading in SECTIONS
    )
    links = "".join(f'<a href="#{key}">{heading}</a>' for key, heading in SECTIONS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(data.title)} · Thalweg</title><style>{_asset('page.css')}</style></head><body>"
        f"{_header(data, links)}<main>{sections}</main>{_footer(data)}"
        '<div id="tip" role="status" hidden></div>'
        f"<script>{_asset('page.js')}</script><script>{_asset('viewer.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return files("thalweg.report").joinpath("assets", name).read_text(encoding="utf-8")


def _grid(*bodies: str) -> str:
    shown = [b for b in bodies if b]
    return f'<div class="grid2">{"".join(shown)}</div>' if shown else ""


def _none(key: str) -> str:
    words = {
        "learning": "No answer has been compared with a prediction yet.",
        "calibration": "No answer has been compared with a prediction yet.",
        "audit": "No audited structure has been answered yet.",
        "failures": "No call has been made yet.",
        "properties": "None was asked for, or the run has not come to its end.",
        "structures": "No structure with an error bound has been answered yet.",
    }
    return f'<p class="none">{words.get(key, "Nothing has been recorded yet.")}</p>'


# ---- top of the page ----------------------------------------------------------------------------------


def _header(data: ReportData, links: str) -> str:
    v = verdict(data)
    when = f"{data.started} to {data.updated}" if data.started else "not started"
    eyebrow = " · ".join((data.system, f"oracle {data.oracle}", when))
    return (
        f'<header class="page"><p class="eyebrow">{escape(eyebrow)}</p>'
        f"<h1>{escape(data.title)}</h1>"
        f'<div class="verdict {v.state}"><span class="badge">{v.badge}</span>'
        f"<p>{escape(v.claim)}</p><p>{escape(v.why)}</p></div>"
        f"{_advice(data)}{_findings(data)}{_tiles(data)}{_basis(data)}{_time_split(data)}"
        f'<nav aria-label="Sections">{links}</nav></header>'
    )


def _advice(data: ReportData) -> str:
    """What keeps the run from its target, and the setting to change, if anything."""
    lines = "".join(f"<li>{escape(words)}</li>" for words in data.summary.advice)
    return f'<div class="findings"><p>Advice:</p><ul>{lines}</ul></div>' if lines else ""


def _findings(data: ReportData) -> str:
    """What does not hold together among the labels, if anything."""
    lines = "".join(f"<li>{escape(words)}</li>" for words in data.summary.findings)
    return f'<div class="findings"><p>Labels do not hold together:</p><ul>{lines}</ul></div>' if lines else ""


def _basis(data: ReportData) -> str:
    """What was chosen of the basis by the labels, and why."""
    lines = "".join(f"<li>{escape(words)}</li>" for words in data.summary.basis_choices)
    return f'<div class="basis"><p>Basis, chosen by the labels:</p><ul>{lines}</ul></div>' if lines else ""


def _tiles(data: ReportData) -> str:
    s = data.summary
    usual = [("seed", "seeds", SEED), ("query", "queries", QUERY), ("audit", "audits", AUDIT)]
    others = [
        ("isolated atom", "isolated atoms", REFERENCE),
        ("relaxation step", "relaxation steps", RELAX),
        ("handed in", "handed in", HANDED),
        ("property", "properties", PROPERTY),
        ("test of smoothness", "tests of smoothness", PROBE),
    ]
    kinds = usual + [one for one in others if data.of_kind(one[2])]
    counts = [(len(data.of_kind(kind)), one, many) for one, many, kind in kinds]
    calls = ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counts)
    wall = s.timing.get("wall")
    tiles = [
        ("Oracle calls", str(s.oracle_calls), calls),
        ("Labels learned", str(s.n_labels), f"{s.failed_calls} calls failed"),
        ("Wall time", duration(wall) if wall is not None else "–", f"{s.iterations} iterations"),
        ("Dynamics", _explored(data), f"{s.md_steps:,} steps".replace(",", " ")),
        ("Features", "–" if s.n_features is None else str(s.n_features), "weights, all elements"),
    ]
    if s.audit is not None and s.audit.force_rmse is not None:
        quantile = s.audit.force_error_quantile
        percent = f"{100 * s.confidence:g} % quantile" if s.confidence else "quantile"
        more = f"{percent} {quantile:.3g}" if quantile is not None else ""
        tiles.append(("Audit force RMSE", f"{s.audit.force_rmse:.3f}", f"eV/Å; {more}"))
    if s.audit is not None and s.audit.energy_rmse is not None and s.audit.energy_within is not None:
        within = f"{s.audit.energy_within:.0%} within 2 stated standard deviations"
        tiles.append(("Audit energy RMSE", f"{1000 * s.audit.energy_rmse:.2f}", f"meV/atom; {within}"))
    cells = "".join(
        f'<div class="tile"><dt>{escape(name)}</dt>'
        f"<dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _explored(data: ReportData) -> str:
    return "–" if data.time_explored is None else f"{data.time_explored:.4g} ps"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _time_split(data: ReportData) -> str:
    parts = {k: v for k, v in data.summary.timing.items() if k != "wall" and v > 0}
    total = sum(parts.values())
    if total <= 0:
        return ""
    bars = "".join(f'<i class="{escape(k)}" style="flex:{v / total:.4f}"></i>' for k, v in parts.items())
    keys = "".join(
        f'<span><i class="key swatch {escape(k)}"></i>'
        f"{escape(k)} {duration(v)} ({100 * v / total:.0f} %)</span>"
        for k, v in parts.items()
    )
    return (
        f'<div class="split"><div class="legend">{keys}</div>'
        f'<div class="bar" role="img" aria-label="Share of wall time">{bars}</div></div>'
    )


# ---- end of the page ----------------------------------------------------------------------------------


def _settings(data: ReportData) -> str:
    parts = [f"<pre><code>{escape(data.config)}</code></pre>"] if data.config else []
    if data.config_changes:
        parts.append("<h3>Changed when the run was resumed</h3>")
        parts.append(plain_table(("when", "what"), data.config_changes))
    if data.events:
        lines = "\n".join(f"{escape(when)}  {escape(line)}" for when, line in data.events)
        parts.append(
            f"<details><summary>The conversation, line by line ({len(data.events)} lines)</summary>"
            f'<pre class="log" tabindex="0">{lines}</pre></details>'
        )
    return "".join(parts)


def _use(data: ReportData) -> str:
    if not data.summary.model_path:
        return '<p class="none">No potential has been fitted yet.</p>'
    model = data.summary.model_path
    python = (
        "from ase.io import read\n"
        "from thalweg.calculator import ThalwegCalculator\n"
        "from thalweg.potential import Potential\n\n"
        f"atoms = read({data.system!r})\n"
        f"atoms.calc = ThalwegCalculator(Potential.load({model!r}))\n"
        "print(atoms.get_potential_energy())           # eV\n"
        "print(atoms.get_forces())                     # eV/Å\n"
        'print(atoms.calc.results["forces_bound"])     # eV/Å: bound on the error of each atom\n'
    )
    folder, quoted = quote(data.folder), quote(model)
    shell = (
        f"thalweg evaluate {quoted} test.xyz   # errors and calibration on labelled structures\n"
        f"thalweg audit {folder} -n 20         # fresh random checks against the oracle\n"
        f"thalweg export {folder} --format extxyz\n"
        f"thalweg report {folder}              # this page again\n"
    )
    return (
        f"<h3>From Python</h3><pre><code>{escape(python)}</code></pre>"
        f"<h3>From the shell</h3><pre><code>{escape(shell)}</code></pre>"
    )


def _footer(data: ReportData) -> str:
    when = f", as of {escape(data.updated)}" if data.updated else ""
    return (
        f"<footer>Made by Thalweg {escape(data.version)} from {escape(data.folder)}{when}. "
        "Errors are those of predictions made before the answer was learned. Units: eV, Å, ps, K.</footer>"
    )
