"""Each request of an ASGI application is a span: wrap it, `application = Spans(application)`.

python -m tracer -m uvicorn app:application
python -m analysis spans uvicorn.trace

A span goes on over the awaits of its request: it is the time that the request took, in which the loop's
thread may have answered others.
"""

from typing import Any

import tracer


class Spans:
    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        with tracer.span(f"{scope['method']} {scope['path']}"):
            await self.application(scope, receive, send)
