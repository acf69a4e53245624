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
from .numbers import as_json as as_json, from_json as from_json, results_rows as results_rows
from .single import render_run as render_run
