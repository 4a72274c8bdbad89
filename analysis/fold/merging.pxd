# Streams in the order of the lock: a heap of the next event of each.

from libc.stdint cimport int32_t, int64_t

from analysis.fold.cursor cimport Cursor, advance, give_back, key_of, next_life
from analysis.fold.rules.events cimport THE_END, end_life, pass_event
from analysis.fold.rules.gil cimport settle
from analysis.fold.state cimport Record, World

cdef enum:
    BOUNDS = 3  # of a part: its first cursor, thread and GIL


cdef inline void sift(int64_t *keys, int32_t *order, int64_t size, int64_t at) noexcept nogil:
    """Put what is at a place of the heap in order with what is below it."""
    cdef int64_t key = keys[at], child
    cdef int32_t which = order[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and (
            keys[child + 1] < keys[child] or (keys[child + 1] == keys[child] and order[child + 1] < order[child])
        ):
            child += 1
        if keys[child] > key or (keys[child] == key and order[child] > which):
            break
        keys[at], order[at] = keys[child], order[child]
        at = child
    keys[at], order[at] = key, which


cdef inline int run(World *world, Cursor *cursors, int64_t *keys, int32_t *order, const int64_t *part) noexcept nogil:
    """Let the events of a part go by: see `Fold.divide`."""
    cdef int64_t size = 0, at, key
    cdef Cursor *cursor
    cdef const Record *event
    cdef int32_t thread
    keys, order = keys + part[0], order + part[0]
    for at in range(part[0], part[BOUNDS]):
        next_life(&cursors[at])
        advance(&cursors[at])
        key = key_of(&cursors[at], world.threads)
        if key >= 0:
            keys[size], order[size] = key, <int32_t> at
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sift(keys, order, size, at)
    while size and not world.damaged:
        cursor = &cursors[order[0]]
        thread = <int32_t> cursor.thread
        if cursor.left:
            event = cursor.upcoming
            advance(cursor)
            cursor.left -= 1
            if pass_event(world, thread, event, cursor.upcoming if cursor.left else NULL) < 0:
                return -1
        else:
            if end_life(world, thread) < 0:
                return -1
            next_life(cursor)
        key = key_of(cursor, world.threads)
        if key < 0:
            give_back(cursor, cursor.packets)
            size -= 1
            keys[0], order[0] = keys[size], order[size]
        else:
            keys[0] = key
        sift(keys, order, size, 0)
    for at in range(part[1], part[BOUNDS + 1]):
        if not world.threads[at].done:  # it has no events
            if end_life(world, <int32_t> at) < 0:
                return -1
    for at in range(part[2], part[BOUNDS + 2]):
        if settle(world, &world.gils[at], THE_END) < 0:
            return -1
    return 0
