"""Why the world was stopped, in words: by the function of the interpreter's that asked for it."""

from __future__ import annotations

from typing import Final

from ..tables.trace import Trace

_WORDS: Final = {
    # CPython 3.13 and later, free-threaded: what calls _PyEval_StopTheWorld.
    "gc_collect_main": "a collection",
    "gc_collect_internal": "a collection",
    "PyGC_Collect": "a collection",
    "_PyGC_Collect": "a collection",
    "_PyGC_Freeze": "gc.freeze()",
    "_PyGC_Unfreeze": "gc.unfreeze()",
    "_PyMonitoring_RegisterCallback": "a tracer, a profiler or sys.monitoring",
    "_PyGC_GetObjects": "gc.get_objects()",
    "_PyGC_GetReferrers": "gc.get_referrers()",
    "PyUnstable_GC_VisitObjects": "a walk over all objects",
    "PyOS_BeforeFork": "a fork",
    "PyOS_AfterFork_Parent": "a fork",
    "PyOS_AfterFork_Child": "a fork",
    "object_set_class": "an object's class is changed",
    "object_set_class_world_stopped": "an object's class is changed",
    "type_set_bases": "a class's bases are changed",
    "type_set_attr": "a class's attribute is set",
    "type_setattro": "a class's attribute is set",
    "type_update_dict": "a class's attribute is set",
    "set_flags_recursive": "a class is changed",
    "_PyType_SetFlagsRecursive": "a class is changed",
    "_PyThread_CurrentFrames": "sys._current_frames()",
    "_PyThread_CurrentExceptions": "sys._current_exceptions()",
    "_PyEval_SetProfile": "sys.setprofile()",
    "_PyEval_SetTrace": "sys.settrace()",
    "PyEval_SetProfileAllThreads": "a profiler of all threads",
    "PyEval_SetTraceAllThreads": "a tracer of all threads",
    "_PyEval_SetProfileAllThreads": "a profiler of all threads",
    "_PyEval_SetTraceAllThreads": "a tracer of all threads",
    "_PyMonitoring_SetEvents": "a tracer, a profiler or sys.monitoring",
    "_PyMonitoring_SetLocalEvents": "a tracer, a profiler or sys.monitoring",
    "_PyMonitoring_ClearToolId": "a tracer, a profiler or sys.monitoring",
    "monitoring_restart_events_impl": "a tracer, a profiler or sys.monitoring",
    "_Py_Instrument": "a tracer, a profiler or sys.monitoring",
    "_PyInterpreterState_SetEvalFrameFunc": "another evaluation of bytecode",
    "_PyInterpreterState_SpecializeAll": "bytecode is changed",
    "Py_FinalizeEx": "the interpreter ends",
    "_Py_Finalize": "the interpreter ends",
    "interpreter_clear": "the interpreter ends",
    "_PyInterpreterState_Clear": "the interpreter ends",
    "_PyThreadState_DeleteExcept": "other threads' ends",
    "_PyThreadState_RemoveExcept": "other threads' ends",
    "_PyImport_ReInitLock": "a fork",
    "enable_gil": "the GIL is switched on",
    "_PyEval_EnableGILTransient": "the GIL is switched on",
    "_PyEval_EnableGILPermanent": "the GIL is switched on",
    "_PyEval_DisableGIL": "the GIL is switched off again",
}


def reason_of(trace: Trace, reason: int) -> str:
    """Return what the world was stopped for: "a collection"; "": not known.

    A function that has no words here is named itself.

    Parameters
    ----------
    reason : int
        Of a row of `Trace.pauses`.
    """
    if reason < 0:
        return ""
    function = trace.stop_reasons[reason]
    return _WORDS.get(function, f"{function}()")
