"""Production molecular dynamics on a finished potential: long, restartable, watching the error bound."""

from thalweg.production.outcome import Observer, Outcome, ProductionProgress
from thalweg.production.plan import Plan
from thalweg.production.runner import produce
from thalweg.production.start import Start, prepare_start
from thalweg.production.summary import summarise, write_summary

__all__ = [
    "Observer",
    "Outcome",
    "Plan",
    "ProductionProgress",
    "Start",
    "prepare_start",
    "produce",
    "summarise",
    "write_summary",
]
