"""What Python's threads are called, from their start to their end, told as it changes.

Any interpreter from 2.7 on reads this, so it keeps to what they all have; it needs nothing around it, as the
bootstrap of a traced program has none.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def follow_thread_names(name_thread, get_tid=None):
    # type: (Callable[[int, str], object], Callable[[], int] | None) -> Callable[[], None]
    """Report the names of Python's threads: those that live, each new one's at its start, and every change.

    Parameters
    ----------
    name_thread : callable
        Called with a thread's id in the OS and its name, in the thread that holds the GIL.
    get_tid : callable
        Returns the calling thread's id in the OS, which Python does not know before 3.8.

    Returns
    -------
    callable
        Ends the reporting.
    """
    import threading

    Thread = threading.Thread  # type: Any
    set_native_id = getattr(Thread, "_set_native_id", None)  # type: Any
    name_property = Thread.__dict__.get("name")  # type: Any
    if set_native_id is None or not isinstance(name_property, property):
        if get_tid is not None and sys.version_info < (3, 8):
            _follow_without_ids(Thread, name_thread, get_tid)
        return lambda: None
    fset = name_property.fset  # type: Any
    get_native_id, get_ident = threading.get_native_id, threading.get_ident

    active = threading._active  # type: ignore[attr-defined]  # it never gets another value

    def report(thread, itself):
        # type: (Any, bool) -> None
        try:
            # Only while it lives: another thread may have its ids later. In a child of os.fork the object
            # still has its id in the parent, so a thread is asked itself where that can be.
            if itself or active.get(thread._ident) is thread:
                tid = get_native_id() if thread._ident == get_ident() else thread._native_id
                if tid is not None:
                    name_thread(tid, thread._name)
        except Exception:
            pass  # a name is never worth an exception in the traced program

    def _set_native_id(self):
        # type: (Any) -> None
        set_native_id(self)
        report(self, True)

    def set_name(self, name):
        # type: (Any, Any) -> None
        fset(self, name)
        report(self, False)

    new_property = property(name_property.fget, set_name, name_property.fdel, name_property.__doc__)
    Thread._set_native_id = _set_native_id
    Thread.name = new_property
    following = [True]

    def after_fork_in_child():
        # type: () -> None
        if following:
            report(threading.current_thread(), True)

    # After threading's own, which ran when it was imported.
    os.register_at_fork(after_in_child=after_fork_in_child)
    for thread in threading.enumerate():
        report(thread, False)

    def undo():
        # type: () -> None
        del following[:]
        if Thread.__dict__.get("_set_native_id") is _set_native_id:
            Thread._set_native_id = set_native_id
        if Thread.__dict__.get("name") is new_property:
            Thread.name = name_property

    return undo


def _follow_without_ids(Thread, name_thread, get_tid):
    # type: (Any, Callable[[int, str], object], Callable[[], int]) -> None
    """The same before 3.8: a thread's id in the OS is asked for at its start, and remembered."""
    import threading

    set_ident = Thread._set_ident
    name_property = Thread.__dict__["name"]
    tids = {}  # type: dict[int, int]

    def report(thread):
        # type: (Any) -> None
        try:
            if thread.ident in tids:
                name_thread(tids[thread.ident], thread.name)
        except Exception:
            pass

    def _set_ident(self):
        # type: (Any) -> None
        set_ident(self)
        tids[self.ident] = get_tid()
        report(self)

    def set_name(self, name):
        # type: (Any, Any) -> None
        name_property.fset(self, name)
        report(self)

    Thread._set_ident = _set_ident
    Thread.name = property(name_property.fget, set_name, name_property.fdel, name_property.__doc__)
    main = threading.current_thread()
    tids[main.ident or 0] = get_tid()
    report(main)
