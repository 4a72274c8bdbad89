# The types of agenda.py, where it is compiled.

cdef class Agenda:
    cdef long long[::1] when, place, heap
    cdef long long size

    cdef bint _before(self, long long one, long long other)
    cdef void _schedule(self, long long thread, long long at)
    cdef void _up(self, long long thread, long long place)
    cdef void _remove(self, long long thread)
