# Sums by a key of 64 bits: of two threads, or of code, holder and length. A hash table that grows.

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

cdef struct Pair:
    int64_t key  # of what was given + 1; 0: nothing is here
    int64_t time
    int64_t count
    int64_t serial  # of the last one that was counted; or the longest
    int64_t when  # the longest was
    int64_t waited
    int64_t thread  # whose the longest was

cdef struct Pairs:
    Pair *slots
    int64_t mask
    int64_t used

cdef inline Pair *place_of(Pairs *pairs, int64_t stored) noexcept nogil:
    cdef uint64_t at = (<uint64_t> stored * <uint64_t> 0x9E3779B97F4A7C15) >> 20
    at = at & <uint64_t> pairs.mask
    while pairs.slots[at].key and pairs.slots[at].key != stored:
        at = (at + 1) & <uint64_t> pairs.mask
    return &pairs.slots[at]

cdef inline int grow_pairs(Pairs *pairs) noexcept nogil:
    cdef Pairs larger
    cdef int64_t at, size = 2 * (pairs.mask + 1) if pairs.slots != NULL else 64
    larger.slots = <Pair *> calloc(size, sizeof(Pair))
    if larger.slots == NULL:
        return -1
    larger.mask, larger.used = size - 1, pairs.used
    if pairs.slots != NULL:
        for at in range(pairs.mask + 1):
            if pairs.slots[at].key:
                place_of(&larger, pairs.slots[at].key)[0] = pairs.slots[at]
    free(pairs.slots)
    pairs[0] = larger
    return 0

cdef inline Pair *find_pair(Pairs *pairs, int64_t key) noexcept nogil:
    """Return the place of a key, which may be new; NULL: no memory."""
    cdef Pair *found
    if pairs.slots == NULL or 2 * pairs.used > pairs.mask:
        if grow_pairs(pairs) < 0:
            return NULL
    found = place_of(pairs, key + 1)
    if found.key == 0:
        found.key = key + 1
        found.serial = -1
        pairs.used += 1
    return found

cdef inline void forget_pairs(Pairs *pairs) noexcept nogil:
    free(pairs.slots)
    pairs.slots = NULL
