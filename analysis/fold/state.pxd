# What the fold knows at one moment: of each thread, of each GIL, and of each thread with each GIL.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from analysis.fold.pairs cimport Pairs
from analysis.growing cimport Amounts, Numbers

cdef enum:
    STATES = 12
    PARTS = 11  # of anatomy: as tables.gil.anatomy has them
    UNKNOWN = 0
    RELEASED = 1
    WAITING = 2
    HOLDING = 3
    RUNNING = 4
    STALLED = 5
    NATIVE = 6
    BLOCKED = 7
    READY = 8
    HOLDING_ASLEEP = 9
    LOCKED = 10
    STOPPED = 11
    UNSURE = 0  # states.Cpu
    OFF_CPU = 1
    ON_CPU = 2
    READY_FOR_CPU = 3
    ASLEEP = 4
    CPUS = 5

cdef struct Record:
    uint64_t time
    uint16_t id
    uint16_t gil
    uint32_t arg

cdef struct Item:
    # A thread and a GIL of its process.
    Amounts waits
    Amounts holds
    Amounts paid  # waits that paid for an interval: detectors.convoy
    int64_t unseen  # holds whose begin was not seen, of no length
    int64_t held
    int64_t parts[PARTS]
    int64_t contended_acquires
    int64_t requested
    int64_t wait_first
    int64_t wait_last_end
    int64_t paid_first
    int64_t paid_last_end
    int64_t late  # holds that were overdue by more than an interval: detectors.hog
    int64_t overdue
    int64_t worst
    int64_t worst_acquired
    int64_t worst_released
    int64_t worst_serial
    int64_t worst_frame
    int64_t most_off[2]  # of one wait: ns in which the holder was stalled, or slept; and that wait
    int64_t most_off_start[2]
    int64_t most_off_end[2]
    int64_t off_total[2]  # stretches of its holds in which it was stalled, or slept; and the longest
    int64_t off_longest[2]
    int64_t off_longest_at[2]
    int64_t off_longest_frame[2]  # at the end of that hold

cdef struct OfThread:
    uint8_t state  # about the GIL alone
    uint8_t cpu  # states.Cpu
    bint started
    uint32_t ahead  # the frame that is told when what it does at its end is over
    bint begun  # something happened about a GIL
    bint done
    int32_t process
    int64_t tid
    int32_t local  # its number among the process's threads
    int64_t begin
    int64_t end
    int64_t since
    int64_t cpu_since
    int64_t item  # of its process's first GIL
    int64_t last_time  # of its last event
    int32_t gil  # that it holds or waits for
    const int32_t *gils  # by the number in its events
    int64_t gil_numbers
    int32_t where  # among the waiters
    # its wait
    int64_t wait_start
    int64_t wait_serial
    int64_t asked_then
    int64_t unknown_then
    int64_t held_then
    int64_t off_unasked_then[2]
    int64_t off_asked_then[2]
    int64_t off_unasked_polite[2]
    int64_t met  # serial of the hold that it met, -1: none yet
    int64_t met_at
    int64_t polite_since
    int64_t polite_until  # -1: goes on
    # figures
    int64_t times[STATES]
    int64_t timeouts
    int64_t releases
    int64_t abandons
    # its waits for locks
    const int64_t *locks  # start, end, whether the world was stopped
    int64_t locks_left
    # what its CPU did
    int64_t cpu_at  # the next of the stretches that touch its life: World.cpu_start
    int64_t cpu_stop
    int64_t cpu_end  # of the last of them
    int64_t cpu_next  # when that begins, or the last one ends
    int64_t cpu_times[CPUS]
    bint piece_of_gil  # what it does since then began with an event about a GIL
    Amounts stretches[3]  # stalled, asleep with the GIL, ready
    int64_t retry_end  # stretches on a CPU in its wait, for nothing if the wait goes on then; -1: none
    int64_t retry_end_before
    int64_t retries
    const int64_t *native_time  # samples of native code, and what it did then
    uint8_t *native_state
    int64_t native_left
    const int64_t *asked_time  # when it is asked for how long it has waited, and the answers
    int64_t *waited_by
    int64_t asked_left

cdef struct Hold:
    int64_t acquired
    int64_t released
    int64_t asked
    int64_t waited
    int64_t contended_before
    int64_t contended
    int64_t serial
    int32_t thread
    uint32_t frame
    bint acquire_seen
    bint release_seen
    bint goes_on
    bint found  # a request was, after its release
    bint pending  # ended, and not counted yet
    bint sampled  # while somebody waited
    bint told  # sampled at all
    int64_t off_asked_before  # clocks of both kinds of stretches without a CPU, together
    int64_t off_asked
    int64_t sample_from  # the first sample that can be of it

cdef struct Charge:
    # Holds that ended in one frame, by one thread, contended for about as long.
    int64_t waited
    int64_t contended
    int64_t holds
    int64_t requested
    int64_t slowest
    int64_t longest
    int64_t longest_at
    int64_t frame
    int64_t octave
    int64_t thread

cdef struct OfGil:
    int32_t process
    int32_t number  # among those of its process
    int32_t number_in_trace
    int64_t base  # no wait begins before it
    int64_t trusted_until
    int64_t interval
    int64_t now
    Hold hold
    bint has_hold
    int64_t serials
    int64_t taken_over
    # clocks
    int64_t asked_before
    int64_t held_before
    int64_t unknown_before
    int64_t unknown_since  # -1: it is known
    int64_t off_unasked[2]
    int64_t off_asked[2]
    int off  # the holder is 0: stalled, 1: asleep, -1: neither
    int64_t off_since
    # who waits
    int32_t *waiters
    int64_t waiting
    int32_t *unmet
    int64_t unmet_count
    int64_t contended_since
    int64_t contended
    int64_t first_wait
    int64_t last_wait_end
    int64_t timed_began  # the latest begin of the timed waits that ran out now; -1: none
    int64_t new_switches  # away from a release now
    # figures
    int64_t handoffs
    int64_t switches
    int64_t requested
    int64_t contended_switches
    int64_t free
    int64_t last_requested
    int64_t last_contended
    int64_t words
    Charge *charges
    int64_t charge_count
    int64_t charge_room
    uint64_t *charge_bits
    Pairs charge_of
    Pairs flow
    uint64_t *hold_bits
    bint some_bits
    Numbers momentary  # threads whose wait of no length was now
    # samples
    const int64_t *sample_time
    const int64_t *sample_tid
    int64_t *sample_hold
    int64_t *sample_waiters
    int64_t *sample_contended
    uint64_t *sample_bits
    int64_t samples
    int64_t sample_at
    Numbers sampled  # holds with samples, during which somebody waited: see one_pass
    Numbers long_sampled  # long holds with samples; and those without by the code at their end
    Pairs long_holds
    Numbers stalls  # of the hold: begin and end of each stretch without a CPU that is too long for its samples
    Numbers late_holds  # thread, asked, released

cdef struct World:
    OfThread *threads
    OfGil *gils
    Item *items
    Pairs blame
    Pairs waiting  # code that waited
    int64_t thread_count
    int64_t wait_serials
    bint damaged
    bint keeps_late
    bint starts  # thread_start is told: its thread was known before
    # when tasks had a CPU: tables.cpu.onto_cpu.Stretches
    const int64_t *cpu_start
    const uint8_t *cpu_state
    const uint8_t *cpu_preempted  # bits
