# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The fold itself: all events of a process once, in the order of the lock, into what is said of it.

`fold` takes what `feed` made ready and returns plain numbers, which `one_pass` gives their names. It runs
without the GIL from the first event to the last.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from analysis.fold.rules.cpu cimport begin_cpu
from analysis.fold.cursor cimport Cursor
from analysis.fold.rules.gil_clock cimport contended_clock
from analysis.fold.merging cimport BOUNDS, run
from analysis.fold.pairs cimport Pairs, forget_pairs
from analysis.fold.state cimport (
    CPUS,
    PARTS,
    RELEASED,
    STATES,
    UNKNOWN,
    Charge,
    Item,
    OfGil,
    OfThread,
    Record,
    World,
)
from analysis.growing cimport Numbers, amounts_told, forget, forget_amounts

cdef int64_t AT_ONCE = 256  # packets of all streams together that are kept in memory when they were read


cdef object rows(Pairs *pairs):
    """Return key, time, count, longest, when, waited and thread of each pair, by key."""
    cdef int64_t at, used = 0
    cdef int64_t[:, ::1] table
    found = np.zeros((pairs.used, 7), np.int64)
    table = found
    if pairs.slots != NULL:
        for at in range(pairs.mask + 1):
            if pairs.slots[at].key:
                table[used, 0], table[used, 1] = pairs.slots[at].key - 1, pairs.slots[at].time
                table[used, 2], table[used, 3] = pairs.slots[at].count, pairs.slots[at].serial
                table[used, 4], table[used, 5] = pairs.slots[at].when, pairs.slots[at].waited
                table[used, 6] = pairs.slots[at].thread
                used += 1
    return found[np.argsort(found[:, 0], kind="stable")]


cdef object joined(list parts):
    """Return the rows of all parts, which have no key in common, by key."""
    found = np.concatenate([np.zeros((0, 7), np.int64), *parts])
    return found[np.argsort(found[:, 0], kind="stable")]


cdef object table_of(Numbers *numbers, int columns):
    if not numbers.used:
        return np.zeros((0, columns), np.int64)
    return np.frombuffer((<char *> numbers.at)[:8 * numbers.used], np.int64).reshape(-1, columns)


cdef class Fold:
    """All that is kept while events go by, and its memory.

    Processes have nothing in common, so parts of them can go by at once, in threads: `divide`, `run`.
    """

    cdef World world  # what all parts know; each has one of its own, with the same threads, GILs and items
    cdef World *worlds
    cdef int64_t[:, ::1] bounds
    cdef Cursor *cursors
    cdef int64_t *keys
    cdef int32_t *order
    cdef int64_t thread_count, gil_count, item_count, cursor_count
    cdef list kept  # what the cursors and the samples point into
    cdef list samples

    def __cinit__(self, int64_t threads, int64_t gils, int64_t items, int64_t cursors):
        self.thread_count, self.gil_count, self.item_count, self.cursor_count = threads, gils, items, cursors
        self.world.thread_count = threads
        self.world.threads = <OfThread *> calloc(threads + 1, sizeof(OfThread))
        self.world.gils = <OfGil *> calloc(gils + 1, sizeof(OfGil))
        self.world.items = <Item *> calloc(items + 1, sizeof(Item))
        self.cursors = <Cursor *> calloc(cursors + 1, sizeof(Cursor))
        self.keys = <int64_t *> calloc(cursors + 1, sizeof(int64_t))
        self.order = <int32_t *> calloc(cursors + 1, sizeof(int32_t))
        self.kept = []
        self.samples = [None] * gils
        if (
            self.world.threads == NULL or self.world.gils == NULL or self.world.items == NULL
            or self.cursors == NULL or self.keys == NULL or self.order == NULL
        ):
            raise MemoryError
        for at in range(items):
            self.world.items[at].wait_first = -1

    def __dealloc__(self):
        cdef int64_t at
        for at in range(self.gil_count if self.world.gils != NULL else 0):
            free(self.world.gils[at].waiters)
            free(self.world.gils[at].unmet)
            free(self.world.gils[at].charges)
            free(self.world.gils[at].charge_bits)
            free(self.world.gils[at].hold_bits)
            forget_pairs(&self.world.gils[at].charge_of)
            forget_pairs(&self.world.gils[at].flow)
            forget(&self.world.gils[at].sampled)
            forget(&self.world.gils[at].momentary)
            forget(&self.world.gils[at].long_sampled)
            forget_pairs(&self.world.gils[at].long_holds)
            forget(&self.world.gils[at].stalls)
            forget(&self.world.gils[at].late_holds)
        for at in range(self.thread_count if self.world.threads != NULL else 0):
            for kind in range(3):
                forget_amounts(&self.world.threads[at].stretches[kind])
        for at in range(self.item_count if self.world.items != NULL else 0):
            forget_amounts(&self.world.items[at].waits)
            forget_amounts(&self.world.items[at].holds)
            forget_amounts(&self.world.items[at].paid)
        for at in range(self.bounds.shape[0] - 1 if self.worlds != NULL else 0):
            forget_pairs(&self.worlds[at].blame)
            forget_pairs(&self.worlds[at].waiting)
        free(self.worlds)
        free(self.world.threads)
        free(self.world.gils)
        free(self.world.items)
        free(self.cursors)
        free(self.keys)
        free(self.order)

    def cpus(self, const int64_t[::1] start, const uint8_t[::1] state, const uint8_t[::1] preempted,
             bint native):
        """Say when tasks had a CPU, and whether there are samples of native code; `preempted` are bits."""
        self.world.keeps_late = native
        if start.shape[0]:
            self.world.cpu_start = &start[0]
            self.world.cpu_state, self.world.cpu_preempted = &state[0], &preempted[0]
        self.kept.append((start, state, preempted))

    def thread(self, int64_t at, int32_t process, int64_t tid, int32_t local, int64_t begin, int64_t end,
               bint unknown, int64_t item, const int32_t[::1] gils, const int64_t[::1] locks,
               int64_t cpu_at, int64_t cpu_stop, int64_t cpu_end, const int64_t[::1] native_time,
               uint8_t[::1] native_state):
        """Say what is known of a thread.

        `gils` has for each number of a GIL its index; `locks` are the begins and the ends of its waits for
        others, and whether the world was stopped; from `cpu_at` to `cpu_stop` are the stretches that touch its
        life, until `cpu_end`; `native_state` gets what it did at each sample of native code.
        """
        cdef OfThread *thread = &self.world.threads[at]
        thread.process, thread.tid, thread.local = process, tid, local
        thread.begin, thread.end, thread.since = begin, end, begin
        thread.state = UNKNOWN if unknown else RELEASED
        thread.item = item
        thread.last_time = begin
        thread.gils = &gils[0] if gils.shape[0] else NULL
        thread.gil_numbers = gils.shape[0]
        thread.locks = &locks[0] if locks.shape[0] else NULL
        thread.locks_left = locks.shape[0] // 3
        thread.retry_end = thread.retry_end_before = -1
        begin_cpu(&self.world, thread, cpu_at, cpu_stop, cpu_end)
        thread.native_left = native_time.shape[0]
        if thread.native_left:
            thread.native_time, thread.native_state = &native_time[0], &native_state[0]
        self.kept.append((gils, locks, native_time, native_state))

    def ask(self, int64_t at, const int64_t[::1] times, int64_t[::1] waited_by):
        """Ask for how long a thread had waited for GILs by each of some times, sorted: `waited_by` gets it."""
        cdef OfThread *thread = &self.world.threads[at]
        thread.asked_left = times.shape[0]
        if thread.asked_left:
            thread.asked_time, thread.waited_by = &times[0], &waited_by[0]
        self.kept.append((times, waited_by))

    def gil(self, int64_t at, int32_t process, int32_t number, int32_t in_trace, int64_t base,
            int64_t trusted_until, int64_t interval, int64_t threads, sample_time, sample_tid):
        """Say what is known of a GIL; `threads` is how many its process has."""
        cdef OfGil *gil = &self.world.gils[at]
        cdef const int64_t[::1] times, tids
        cdef int64_t[::1] holds, waiters, bits, clocks
        gil.process, gil.number, gil.number_in_trace = process, number, in_trace
        gil.base, gil.trusted_until, gil.interval = base, trusted_until, interval
        gil.unknown_since, gil.first_wait, gil.last_wait_end, gil.timed_began = base, -1, -1, -1
        gil.off, gil.now = -1, -1
        gil.words = (threads + 63) // 64
        gil.waiters = <int32_t *> calloc(threads + 1, sizeof(int32_t))
        gil.unmet = <int32_t *> calloc(threads + 1, sizeof(int32_t))
        gil.hold_bits = <uint64_t *> calloc(gil.words + 1, sizeof(uint64_t))
        if gil.waiters == NULL or gil.unmet == NULL or gil.hold_bits == NULL:
            raise MemoryError
        gil.samples = len(sample_time)
        if gil.samples:
            times, tids = sample_time, sample_tid
            hold, waiting = np.full(gil.samples, -1, np.int64), np.zeros(gil.samples, np.int64)
            bit, clock = np.zeros(gil.samples * gil.words, np.int64), np.zeros(gil.samples, np.int64)
            holds, waiters, bits, clocks = hold, waiting, bit, clock
            gil.sample_contended = &clocks[0]
            gil.sample_time, gil.sample_tid = &times[0], &tids[0]
            gil.sample_hold, gil.sample_waiters = &holds[0], &waiters[0]
            gil.sample_bits = <uint64_t *> &bits[0]
            self.samples[at] = (hold, waiting, bit, clock)
            self.kept.append((sample_time, sample_tid))

    def cursor(self, int64_t at, const uint8_t[::1] data, int64_t packets, int64_t last_count,
               const int64_t[::1] lives):
        """Say where a stream is; `lives` are pairs: a thread, and how many events it has here."""
        cdef Cursor *cursor = &self.cursors[at]
        cursor.data = &data[0]
        cursor.packets, cursor.last_count = packets, last_count
        cursor.window = max(AT_ONCE // self.cursor_count, 2)
        cursor.lives, cursor.lives_left = &lives[0], lives.shape[0] // 2
        self.kept.append((data, lives))

    def records(self, int64_t at, const uint8_t[::1] data, const int64_t[::1] lives, uint32_t ahead):
        """Say where the events of a thread are, behind each other; `lives` as above.

        `ahead` is the frame that is told when what it does at its end is over, 0: none.
        """
        cdef Cursor *cursor = &self.cursors[at]
        self.world.starts = True
        self.world.threads[at].ahead = ahead
        if data.shape[0]:
            cursor.at = <const Record *> &data[0]
            cursor.stop = cursor.at + data.shape[0] // <int64_t> sizeof(Record)
        cursor.lives, cursor.lives_left = &lives[0], lives.shape[0] // 2
        self.kept.append((data, lives))

    def divide(self, int64_t[:, ::1] bounds):
        """Say which parts can go by themselves, when all else is said.

        Part i has the cursors, threads and GILs from bounds[i] to bounds[i + 1], all of its processes.
        """
        cdef int64_t at
        self.bounds = bounds
        self.worlds = <World *> calloc(bounds.shape[0], sizeof(World))
        if self.worlds == NULL:
            raise MemoryError
        for at in range(bounds.shape[0] - 1):
            self.worlds[at] = self.world

    def run(self, int64_t part):
        """Let the events of a part go by; return whether that made sense: in a damaged trace two hold one GIL."""
        cdef int failed
        with nogil:
            failed = run(&self.worlds[part], self.cursors, self.keys, self.order, &self.bounds[part, 0])
        if failed < 0:
            raise MemoryError
        return not self.worlds[part].damaged

    def of_threads(self):
        """Return times in states, and timeouts, releases, abandons, and whether it had events, of each."""
        cdef int64_t at, state
        cdef OfThread *thread
        times, counts = np.zeros((self.thread_count, STATES), np.int64), np.zeros((self.thread_count, 4), np.int64)
        cdef int64_t[:, ::1] all_times = times, all_counts = counts
        for at in range(self.thread_count):
            thread = &self.world.threads[at]
            for state in range(STATES):
                all_times[at, state] = thread.times[state]
            all_counts[at, 0], all_counts[at, 1] = thread.timeouts, thread.releases
            all_counts[at, 2], all_counts[at, 3] = thread.abandons, thread.done
        return times, counts

    def of_cpus(self):
        """Return how long each thread was what (`states.Cpu`), and its wake-ups for nothing."""
        cdef int64_t at, kind
        times, retries = np.zeros((self.thread_count, CPUS), np.int64), np.zeros(self.thread_count, np.int64)
        cdef int64_t[:, ::1] all_times = times
        cdef int64_t[::1] all_retries = retries
        for at in range(self.thread_count):
            all_retries[at] = self.world.threads[at].retries
            for kind in range(CPUS):
                all_times[at, kind] = self.world.threads[at].cpu_times[kind]
        return times, retries

    def stretches(self, int64_t at):
        """Return the stretches of a thread: stalled, asleep with the GIL, ready."""
        return [amounts_told(&self.world.threads[at].stretches[kind]) for kind in range(3)]

    def of_item(self, int64_t at):
        """Return what is known of a thread and a GIL, by name."""
        cdef Item *item = &self.world.items[at]
        return {
            "waits": amounts_told(&item.waits),
            "holds": amounts_told(&item.holds),
            "paid": amounts_told(&item.paid),
            "parts": [item.parts[part] for part in range(PARTS)],
            "unseen": item.unseen,
            "held": item.held,
            "contended_acquires": item.contended_acquires,
            "requested": item.requested,
            "wait_first": item.wait_first,
            "wait_last_end": item.wait_last_end,
            "paid_first": item.paid_first,
            "paid_last_end": item.paid_last_end,
            "late": item.late,
            "overdue": item.overdue,
            "worst": item.worst,
            "worst_acquired": item.worst_acquired,
            "worst_released": item.worst_released,
            "worst_serial": item.worst_serial,
            "worst_frame": item.worst_frame,
            "most_off": [(item.most_off[k], item.most_off_start[k], item.most_off_end[k]) for k in range(2)],
            "off": [
                (item.off_total[k], item.off_longest[k], item.off_longest_at[k], item.off_longest_frame[k])
                for k in range(2)
            ],
        }

    def of_gil(self, int64_t at):
        """Return what is known of a GIL, by name."""
        cdef OfGil *gil = &self.world.gils[at]
        cdef Charge *charge
        cdef int64_t number, word
        charges = np.zeros((gil.charge_count, 10), np.int64)
        bits = np.zeros((gil.charge_count, gil.words), np.int64)
        cdef int64_t[:, ::1] table = charges, masks = bits
        for number in range(gil.charge_count):
            charge = &gil.charges[number]
            table[number, 0], table[number, 1], table[number, 2] = charge.frame, charge.octave, charge.thread
            table[number, 3], table[number, 4], table[number, 5] = charge.waited, charge.contended, charge.holds
            table[number, 6], table[number, 7] = charge.requested, charge.slowest
            table[number, 8], table[number, 9] = charge.longest, charge.longest_at
            for word in range(gil.words):
                masks[number, word] = <int64_t> gil.charge_bits[number * gil.words + word]
        return {
            "contended": contended_clock(gil, gil.contended_since),
            "first_wait": gil.first_wait,
            "last_wait_end": gil.last_wait_end,
            "handoffs": gil.handoffs,
            "switches": gil.switches,
            "requested": gil.requested,
            "contended_switches": gil.contended_switches,
            "free": gil.free,
            "charges": charges,
            "waiters": bits.view(np.uint64),
            "sampled": table_of(&gil.sampled, 9),
            "long_sampled": table_of(&gil.long_sampled, 6),
            "long_holds": rows(&gil.long_holds),
            "late_holds": table_of(&gil.late_holds, 3),
            "samples": self.samples[at],
            "flow": rows(&gil.flow),
        }

    def pairs(self):
        """Return rows of blame, and of code that waited: key, time, count, longest, when."""
        cdef int64_t at, parts = self.bounds.shape[0] - 1
        return (
            joined([rows(&self.worlds[at].blame) for at in range(parts)]),
            joined([rows(&self.worlds[at].waiting) for at in range(parts)]),
        )
