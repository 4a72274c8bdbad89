"""Functions whose calls are spans: what `@tracer.span("parse")` makes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from tracer._marks import span


def decorated(text: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the same kind whose calls are spans: a coroutine's or a generator's to its end."""
    if not callable(function):
        raise TypeError(f"a span decorates a function, not {type(function).__name__}")
    return functools.wraps(function)(_kind(text, function))


def _kind(text: str, function: Callable[..., Any]) -> Callable[..., Any]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with span(text):
            return await function(*args, **kwargs)

    async def asynchronous(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with span(text):
            async for value in function(*args, **kwargs):
                yield value

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with span(text):
            return (yield from function(*args, **kwargs))

    def plain(*args: Any, **kwargs: Any) -> Any:
        with span(text):
            return function(*args, **kwargs)

    if inspect.iscoroutinefunction(function):
        return coroutine
    if inspect.isasyncgenfunction(function):
        return asynchronous
    return generator if inspect.isgeneratorfunction(function) else plain
