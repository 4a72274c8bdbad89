from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar, final

_P = ParamSpec("_P")
_R = TypeVar("_R")

@final
class Span:
    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]: ...

def mark(text: str, /) -> None: ...
def span(text: str, /) -> Span: ...
