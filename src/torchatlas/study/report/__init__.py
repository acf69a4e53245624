"""One self-contained HTML page per comparison or run, and the same numbers as rows and JSON."""

from .comparison import render as render
from .model import (
    DataSummary as DataSummary,
    MethodResult as MethodResult,
    RunReport as RunReport,
    RunResult as RunResult,
    StudyResult as StudyResult,
    Worst as Worst,
)
from .single import render_run as render_run
