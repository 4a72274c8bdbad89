# What grows while events go by, in C: a row of numbers, and the amounts of something (analysis.amounts).
# Every function can run without the GIL; those that may run out of memory return -1 then.

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free, realloc

cdef extern from *:
    """
    static inline int gs_top_bit(unsigned long long value) { return 63 - __builtin_clzll(value); }
    """
    int gs_top_bit(unsigned long long value) noexcept nogil

cdef struct Numbers:
    int64_t *at
    Py_ssize_t used
    Py_ssize_t room

cdef inline int push(Numbers *numbers, int64_t value) noexcept nogil:
    cdef int64_t *larger
    cdef Py_ssize_t room
    if numbers.used == numbers.room:
        room = 2 * numbers.room if numbers.room else 16
        larger = <int64_t *> realloc(numbers.at, room * sizeof(int64_t))
        if larger == NULL:
            return -1
        numbers.at, numbers.room = larger, room
    numbers.at[numbers.used] = value
    numbers.used += 1
    return 0

cdef inline void forget(Numbers *numbers) noexcept nogil:
    free(numbers.at)
    numbers.at = NULL
    numbers.used = numbers.room = 0

# Values up to EXACT are kept as they are; from then on buckets count them: an octave has STEPS of them, so
# that the middle of one is within 1 / (2 * STEPS) of every value in it.
cdef enum:
    EXACT = 100000
    STEP_BITS = 9
    STEPS = 512
    OCTAVES = 64

cdef struct Amounts:
    int64_t count
    int64_t total
    int64_t least
    int64_t most
    int64_t room
    uint32_t *narrow  # the values, while all are below 2^32
    int64_t *wide  # the values, when one was not
    int64_t **octaves  # from EXACT on

cdef inline int bucket_octave(int64_t value) noexcept nogil:
    """The octave of a value; the first one has all values below STEPS, each exactly."""
    return 0 if value < STEPS else gs_top_bit(<unsigned long long> value) - STEP_BITS + 1

cdef inline int bucket_step(int64_t value, int octave) noexcept nogil:
    return <int> (value if octave == 0 else (value >> (octave - 1)) - STEPS)

cdef inline int count_in_bucket(Amounts *of, int64_t value) noexcept nogil:
    cdef int octave
    if value < 0:
        value = 0
    octave = bucket_octave(value)
    if of.octaves[octave] == NULL:
        of.octaves[octave] = <int64_t *> calloc(STEPS, sizeof(int64_t))
        if of.octaves[octave] == NULL:
            return -1
    of.octaves[octave][bucket_step(value, octave)] += 1
    return 0

cdef inline int into_buckets(Amounts *of) noexcept nogil:
    cdef int64_t at
    of.octaves = <int64_t **> calloc(OCTAVES, sizeof(int64_t *))
    if of.octaves == NULL:
        return -1
    for at in range(of.count):
        if count_in_bucket(of, of.narrow[at] if of.wide == NULL else of.wide[at]) < 0:
            return -1
    free(of.narrow)
    free(of.wide)
    of.narrow, of.wide = NULL, NULL
    return 0

cdef inline int make_room(Amounts *of, bint wider) noexcept nogil:
    cdef int64_t room = of.room, at
    cdef uint32_t *narrow
    cdef int64_t *wide
    if of.count == room:
        room = 2 * room if room else 8
    if of.wide == NULL and not wider:
        narrow = <uint32_t *> realloc(of.narrow, room * sizeof(uint32_t))
        if narrow == NULL:
            return -1
        of.narrow = narrow
    else:
        wide = <int64_t *> realloc(of.wide, room * sizeof(int64_t))
        if wide == NULL:
            return -1
        if of.wide == NULL:
            for at in range(of.count):
                wide[at] = of.narrow[at]
            free(of.narrow)
            of.narrow = NULL
        of.wide = wide
    of.room = room
    return 0

cdef inline int add_amount(Amounts *of, int64_t value) noexcept nogil:
    cdef bint wider
    if of.octaves == NULL:
        if of.count == EXACT:
            if into_buckets(of) < 0:
                return -1
        else:
            wider = of.wide == NULL and (value < 0 or value >> 32)
            if of.count == of.room or wider:
                if make_room(of, wider) < 0:
                    return -1
            if of.wide == NULL:
                of.narrow[of.count] = <uint32_t> value
            else:
                of.wide[of.count] = value
    if of.octaves != NULL and count_in_bucket(of, value) < 0:
        return -1
    if of.count == 0 or value < of.least:
        of.least = value
    if of.count == 0 or value > of.most:
        of.most = value
    of.count += 1
    of.total += value
    return 0

cdef inline void forget_amounts(Amounts *of) noexcept nogil:
    cdef int octave
    free(of.narrow)
    free(of.wide)
    if of.octaves != NULL:
        for octave in range(OCTAVES):
            free(of.octaves[octave])
        free(of.octaves)
    of.narrow, of.wide, of.octaves = NULL, NULL, NULL
    of.count = of.room = of.total = of.least = of.most = 0

cdef inline object amounts_told(Amounts *of):
    """Return count, total, least, most, and the values as bytes (of uint32, else of int64: by how many there
    are of them), or {octave: bytes of int64}. Their memory is given back: it is told once."""
    cdef int octave
    figures = of.count, of.total, of.least, of.most
    if of.octaves != NULL:
        kept = {}
        for octave in range(OCTAVES):
            if of.octaves[octave] != NULL:
                kept[octave] = (<char *> of.octaves[octave])[:STEPS * sizeof(int64_t)]
    elif of.count == 0:
        kept = b""
    elif of.wide != NULL:
        kept = (<char *> of.wide)[:of.count * sizeof(int64_t)]
    else:
        kept = (<char *> of.narrow)[:of.count * sizeof(uint32_t)]
    forget_amounts(of)
    return *figures, kept
