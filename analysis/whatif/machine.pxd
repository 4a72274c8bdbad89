# The types of machine.py, where it is compiled.

from analysis.whatif.agenda cimport Agenda
from analysis.whatif.rows cimport Rows

cdef long long AWAKE, BLOCKED, EXCESS, FORCED, NATIVE, PYTHON, QUANTUM, RETURN, VOLUNTARY
cdef long long _DONE, _SLEEPING, _AWAITING, _WAITING, _WOKEN, _SWITCHING, _QUEUED, _RUNNING
cdef long long _RUN, _ASK, _TRY, _NEXT, _SAME

cdef class Machine(Agenda):
    cdef long long[::1] first, amount
    cdef signed char[::1] kind
    cdef short[::1] gil
    cdef int[::1] post_first, call_first
    cdef long long[::1] post_at, post_event, post_delay, call_begin, call_end
    cdef long long[::1] pool_first, pool_value, pool_next
    cdef long long[::1] interval, essential
    cdef long long cpus, idle, threads, gils, queue_first, queued, left
    cdef bint log_holds
    cdef public long long now, switches, requests
    cdef public object finished
    cdef public Rows waits, holds
    cdef long long[::1] ended
    cdef long long[::1] state, then, resume, step, position, since, asked, seen_switch, taken_at
    cdef long long[::1] respond, post, call, slice_end, on_cpu
    cdef long long[::1] holder, last_holder, switch_number, requested, requested_at, dropper
    cdef long long[::1] head, tail, after, before
    cdef long long[::1] posted, awaits, queue, running

    cpdef long long run(self)
    cdef void _begin(self, long long thread)
    cdef void _sleep(self, long long thread, long long until)
    cdef void _work(self, long long thread)
    cdef void _go_on(self, long long thread)
    cdef void _post(self, long long event, long long at)
    cdef void _ask(self, long long thread)
    cdef void _wait(self, long long thread, long long gil)
    cdef void _stop_waiting(self, long long thread, long long gil)
    cdef void _time_out(self, long long thread)
    cdef void _request(self, long long gil)
    cdef void _take(self, long long thread, long long gil)
    cdef void _release(self, long long thread, long long resume)
    cdef void _try(self, long long thread)
    cdef void _ready(self, long long thread, long long then)
    cdef void _dispatch(self)
    cdef void _do(self, long long thread, long long then)
    cdef void _run(self, long long thread)
    cdef void _leave_cpu(self, long long thread)
    cdef long long _draw(self, long long pool)
    cdef void _cut(self)
