# The types of rows.py, where it is compiled.

cdef class Rows:
    cdef object flat
    cdef long long[::1] room
    cdef long long used, size

    cdef void add(self, long long one, long long two, long long three, long long four)
    cdef void _grow(self)
    cpdef object told(self)
