# cython: language_level=3
"""One countdown, with the GIL held and without it: the compiled part of nogil.py."""

cdef extern from *:
    """
    static void gilscope_countdown(long n) {
        while (n > 0) {
            n -= 1;
            /* An instruction the optimiser can't see into: without it the whole loop becomes n = 0. */
            __asm__ volatile("" : "+r"(n));
        }
    }
    """
    void gilscope_countdown(long n) noexcept nogil


def countdown_with_gil(long n):
    gilscope_countdown(n)


def countdown_nogil(long n):
    with nogil:
        gilscope_countdown(n)
