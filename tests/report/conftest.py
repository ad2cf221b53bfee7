from __future__ import annotations

import pytest
from report_synthetic import run

from thalweg.report import ReportData


@pytest.fixture(scope="session")
def data() -> ReportData:
    return run()
