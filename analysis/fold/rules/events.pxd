# What an event means: for its thread, and for the GIL that it is about.

from libc.stdint cimport int32_t, int64_t, uint16_t

from analysis.fold.rules.cpu cimport catch_up, end_cpu, pass_time, tell_retries, tell_waited
from analysis.fold.rules.gil cimport begin_hold, end_hold, settle, unseen_hold
from analysis.fold.state cimport HOLDING, RELEASED, UNKNOWN, WAITING, OfGil, OfThread, Record, World
from analysis.fold.rules.waiting cimport begin_wait, end_wait, run_out

cdef enum:  # reader.format.Event
    WAIT = 1
    TIMEOUT = 2
    ACQUIRED = 3
    RELEASE = 4
    REQUESTED = 5
    ABANDONED = 6
    START = 16
    EXIT = 17
    TOO_LONG = 0xFFFFFFFF

cdef extern from "stdint.h" nogil:
    const int64_t THE_END "(INT64_MAX - 15)"


cdef inline int leave(World *world, OfThread *thread, int32_t number, int64_t time, const Record *event, bint found) noexcept nogil:
    """The thread's state ends: with an event, or with its life (NULL)."""
    cdef OfGil *gil
    cdef bint same
    if thread.state == HOLDING and time > world.gils[thread.gil].now:
        # What was asked for before comes before what the CPU did after it.
        if settle(world, &world.gils[thread.gil], time) < 0:
            return -1
    if catch_up(world, number, time) < 0 or pass_time(world, thread, time, True) < 0:
        return -1
    if thread.state < WAITING:
        return 0
    if thread.state == WAITING:
        tell_retries(thread, time)
        thread.retry_end = thread.retry_end_before = -1
    gil = &world.gils[thread.gil]
    same = event != NULL and event.gil == gil.number_in_trace
    if thread.state == WAITING:
        if event != NULL and event.id == ACQUIRED:
            if not same:
                world.damaged = True
            return end_wait(world, gil, number, time, True, event.arg)
        return end_wait(world, gil, number, time, False, 0 if event != NULL else thread.ahead)
    if event != NULL and event.id == RELEASE:
        if not same:
            world.damaged = True
        return end_hold(world, gil, time, True, found, event.arg)
    return end_hold(world, gil, time, False, False, 0 if event != NULL else thread.ahead)


cdef inline int end_life(World *world, int32_t number) noexcept nogil:
    cdef OfThread *thread = &world.threads[number]
    thread.done = True
    if not thread.begun:
        thread.piece_of_gil = True
    if leave(world, thread, number, thread.end, NULL, False) < 0:
        return -1
    end_cpu(thread)
    tell_waited(thread, UNKNOWN, thread.end, THE_END)
    return 0


cdef inline int start(World *world, int32_t number, int64_t time) noexcept nogil:
    """A thread starts; again, if a part of a trace, which began before, knew it to be there."""
    cdef OfThread *thread = &world.threads[number]
    if not thread.started:
        thread.started = True
        return 0
    thread.begun = True
    if leave(world, thread, number, time, NULL, False) < 0:
        return -1
    thread.state = RELEASED
    return 0


cdef inline int pass_event(World *world, int32_t number, const Record *event, const Record *after) noexcept nogil:
    cdef OfThread *thread = &world.threads[number]
    cdef int64_t time = <int64_t> event.time, began
    cdef uint16_t kind = event.id
    cdef OfGil *gil
    cdef int32_t index
    cdef bint found
    if kind > ABANDONED or kind == 0:
        thread.last_time = time
        return start(world, number, time) if kind == START and world.starts else 0
    index = thread.gils[event.gil] if event.gil < thread.gil_numbers else -1
    if index < 0:
        world.damaged = True
        return 0
    gil = &world.gils[index]
    if kind == TIMEOUT:
        thread.timeouts += 1
        began = time - event.arg if event.arg and event.arg != TOO_LONG else thread.last_time
        thread.last_time = time
        return run_out(world, gil, began, time)
    thread.last_time = time
    if kind == REQUESTED:
        return 0
    found = after != NULL and after.id == REQUESTED
    thread.begun = True
    if kind == RELEASE and thread.state == UNKNOWN:
        if catch_up(world, number, time) < 0 or pass_time(world, thread, time, True) < 0:
            return -1
        if unseen_hold(world, gil, number, time, found, event.arg) < 0:
            return -1
    elif leave(world, thread, number, time, event, found) < 0:
        return -1
    if kind == WAIT:
        thread.state, thread.gil = WAITING, index
        return begin_wait(world, gil, number, time)
    if kind == ACQUIRED:
        thread.state, thread.gil = HOLDING, index
        return begin_hold(world, gil, number, time)
    thread.state = RELEASED
    if kind == RELEASE:
        thread.releases += 1
    else:
        thread.abandons += 1
    return 0
