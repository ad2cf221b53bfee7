"""One self-contained HTML page per run: what was learned, how sure it is, what it cost."""

from thalweg.report.collect import collect
from thalweg.report.data import ReportData
from thalweg.report.write import REPORT_NAME, write_report

__all__ = ["REPORT_NAME", "ReportData", "collect", "write_report"]
