"""Each request of a WSGI application is a span: wrap it, `application = Spans(application)`.

python -m tracer -m gunicorn --worker-class gthread --threads 8 app:application
python -m analysis spans gunicorn.trace
"""

from collections.abc import Iterator
from typing import Any

import tracer


class Spans:
    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        # Of a framework's routes the name would do better: "GET /users/<id>" is one, "GET /users/7" is many.
        with tracer.span(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"):
            body = self.application(environ, start_response)
            try:
                yield from body
            finally:
                if hasattr(body, "close"):
                    body.close()
