"""Each task of a Celery worker is a span: import this where the application is made.

python -m tracer -m celery -A app worker --pool threads
python -m analysis spans celery.trace
"""

from typing import Any

from celery.signals import task_postrun, task_prerun

import tracer

_open: dict[str, Any] = {}


def begin(task_id: str, task: Any, **_: Any) -> None:
    _open[task_id] = tracer.span(task.name)
    _open[task_id].__enter__()


def end(task_id: str, **_: Any) -> None:
    _open.pop(task_id).__exit__()


task_prerun.connect(begin)
task_postrun.connect(end)
