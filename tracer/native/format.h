/* The trace format: all that a reader and a writer share. analysis/reader/format.py says the same to Python.
 *
 * Version history (GS_FORMAT_VERSION, "gilscope_format" in the metadata's env):
 *   1  first: gil streams (class 0), names stream (class 1).
 *   2  a directory sched/ may be there: sched streams (class 2), records task and task_exit among its names.
 *   3  Python frames: records code, code_lines and frame; gil_acquired and gil_released may name one.
 *      gil_timeout says since when.
 *   4  Python's other locks: lock_* among the events of a gil stream, records lock among its names,
 *      thread_lost and gils_missed. Samples of the code that ran while a GIL was held: stream samples (class 3).
 *      Records task_exec, task_python and task_inner among the names of sched/.
 *   5  What the program says of itself: mark, span_begin and span_end among the events of a gil stream, record
 *      mark_text among its names. Records task_map among the names of sched/, streams native (class 4) of the
 *      addresses that threads ran at, and symbols: what is there.
 *      A flight recorder gives up the oldest packets of a file: its first packet then says given_up, and is as large as all
 *      of them. names_kept has the records of such packets that are needed. Records recording_ended and lock_ended.
 *
 * A trace is a directory; each process has a directory <pid> in it (<pid>_2, ... when a pid came again)
 * that is a CTF 1.8 trace: metadata, gil_<n>, names, samples. What the scheduler did with all of them is one more, sched/:
 * metadata, sched_<cpu>, names, native_<cpu>, symbols. A stream file is a row of packets of GS_PACKET_SIZE bytes. The
 * clock is CLOCK_MONOTONIC in nanoseconds. Everything is little endian and naturally aligned.
 */
#ifndef GILSCOPE_FORMAT_H
#define GILSCOPE_FORMAT_H

#include <stdint.h>

#define GS_FORMAT_VERSION 5

/* 32 KiB, so that the packet in use and the one prepared ahead of it stay within 64 KiB a thread. */
#define GS_PACKET_SIZE 32768u
#define GS_HEADER_SIZE 128u
#define GS_EVENT_SIZE 16u

#define GS_CTF_MAGIC 0xC1FC1FC1u
#define GS_STREAM_GIL 0u   /* fixed-size events of one thread after another */
#define GS_STREAM_NAMES 1u /* text, referenced by number */
#define GS_STREAM_SCHED 2u /* fixed-size events of one CPU */
#define GS_STREAM_SAMPLES 3u /* fixed-size events of whoever was sampled */
#define GS_STREAM_NATIVE 4u /* fixed-size events of one CPU: where its threads ran */

/* A packet prepared ahead of its use is valid CTF: empty, and at the end of time. */
#define GS_UNUSED_TIMESTAMP (UINT64_C(1) << 61)

struct gs_packet_header {
    uint32_t magic;
    uint32_t stream_class;
    uint64_t timestamp_begin;
    uint64_t timestamp_end;
    uint64_t content_size; /* bits; stored last after each event: this is the commit */
    uint64_t packet_size;  /* bits */
    uint64_t events_discarded;
    uint32_t tid; /* the thread at the packet's start; a thread_start event inside changes it */
    uint32_t pid;
    uint64_t given_up; /* of a file's first packet: 1: it stands for all before the next, which are gone; it may be large */
    uint64_t reserved[8];
};

struct gs_event {
    uint64_t timestamp;
    uint16_t id;
    uint16_t gil; /* GS_NO_GIL when the event is about no GIL */
    uint32_t arg;
};

struct gs_sched_event {
    uint64_t timestamp;
    uint16_t id;
    uint16_t cpu;
    uint32_t tid; /* of sched_lost: how many records */
};

struct gs_sample_event {
    uint64_t timestamp;
    uint16_t id;
    uint16_t gil;
    uint32_t frame;   /* of the thread that held it; 0: it ran no Python code */
    uint32_t tid;     /* of that thread */
    uint32_t waiters; /* threads that waited for it; 0: this hold was long already */
};

struct gs_native_event {
    uint64_t timestamp;
    uint16_t id;
    uint16_t cpu;
    uint32_t tid;
    uint64_t address; /* of the instruction that it ran */
};

/* A names record: this, then UTF-8 text with its NUL. Each starts at a multiple of 8; content_size ends with the
 * last NUL, not with padding. */
struct gs_name_record {
    uint64_t timestamp;
    uint16_t id;
    uint16_t reserved;
    uint32_t ref; /* what the text names: a tid, an errno, a code object, a frame */
};

#define GS_NO_GIL 0xFFFFu

/* X(id, name): the events of a gil stream. Ranges end in start/exit, start/stop. */
#define GS_EVENTS(X)                                                                               \
    X(1, gil_wait)           /* asked and found it held; stamp of the ask */                       \
    X(2, gil_timeout)        /* one switch interval passed without the GIL; arg: ns that this took, or all \
                                ones: it was longer */                                             \
    X(3, gil_acquired)       /* holds it now; no gil_wait before it: it was free; else arg: \
                                frame, or 0: not known; written a moment after the event */       \
    X(4, gil_released)       /* holds it no longer; arg: frame, if somebody waited, or 0 */        \
    X(5, gil_drop_requested) /* after its release this thread found a drop request pending; up to 3.12 \
                                that may be one to the next holder, and it may come too late to find it */ \
    X(6, gil_abandoned)      /* gave up waiting: the thread exits */                               \
    X(8, lock_wait)        /* sleeps until it has a lock of Python's; stamp before; arg: lock, or 0; no GIL, as all of these */ \
    X(9, lock_acquired)    /* a lock_wait ended: it has it, or was woken and tries again; arg: lock */ \
    X(10, lock_timeout)    /* a lock_wait ended without; arg: lock */                              \
    X(11, lock_interrupted) /* the same, by a signal or because the thread was cancelled */         \
    X(12, lock_wake)       /* lets somebody go who waits; stamp before; arg: lock */               \
    X(13, lock_frame)      /* after a lock_wait or a lock_wake, of the same stamp: where it is; arg: frame */ \
    X(14, lock_spin)       /* tried for a lock again and again from this stamp on; arg: ns that it did; then it had it, or \
                              a lock_wait follows */                                                \
    X(15, lock_waiter)     /* after a lock_wake: whom alone it wakes; arg: tid */                  \
    X(16, thread_start)      /* arg: tid; first event of a thread in this stream */                \
    X(17, thread_exit)       /* arg: tid */                                                        \
    X(18, process_fork)      /* arg: the parent's pid; in the child's first stream */              \
    X(19, recording_start)   /* arg: tid of the thread that started it; it holds its GIL */        \
    X(20, recording_stop)    /* arg: tid */                                                        \
    X(21, mark)              /* the program says that it is here; arg: mark_text, or 0; no GIL, as the next two */ \
    X(22, span_begin)        /* it begins what it calls so; arg: mark_text, or 0 */                \
    X(23, span_end)          /* that ends, in the same thread; arg: how many spans this thread has begun since */ \
    X(25, gil_enabled)       /* this process ran without a GIL until now; arg: frame, or 0 */      \
    X(27, lock_callers)    /* after a lock_wake that lets the world go on, of the same stamp, and what is said of it; arg: \
                                native_callers */ \
    X(29, lock_held)         /* after a lock_wait, of the same stamp: the thread has this meanwhile, by `with`; arg: lock; a \
                                lock_frame says where */

/* X(id, name): the records of the names stream. */
#define GS_NAMES(X)                                                                                \
    X(32, thread_name)      /* ref: tid; the Python name; a later one replaces it */               \
    X(33, thread_alive)     /* ref: tid; lived when recording began; text: its name in the OS */   \
    X(34, thread_comm)      /* ref: tid; its name in the OS */                                     \
    X(35, recording_failed) /* ref: errno; recording ended early at this stamp; text: what failed */ \
    X(36, task)             /* ref: tid; of sched/: first seen, or exec'd or renamed; text: "<pid> <ppid> <comm>" */ \
    X(37, task_exit)        /* ref: tid; of sched/; no text */                                     \
    X(38, code)             /* ref: number from 1; text: "<first line>\n<qualified name>\n<file>" */ \
    X(39, code_lines)       /* ref: code; text: a piece of its co_linetable, hexadecimal, in order; all before the \
                               first frame that needs them; what is beyond 64 KiB is missing */   \
    X(40, frame)            /* ref: number from 1; text: "<caller's frame or 0> <code> <offset in bytes>"; \
                               after the records of its caller and its code */                   \
    X(46, gil_module)       /* ref: tid of who imported it; text: "<module>\n<file>", that switched the GIL on */ \
    X(45, lock)             /* ref: number from 1; text: "<kind>\n<address>\n<type>\n<offset> <size>" and, for the self of each of \
                               the innermost frames of who waited first, "\n<type> <address> <function>"; addresses are \
                               hexadecimal; see locks/identity.c */ \
    X(44, native_callers)  /* ref: number from 1; text: the calls in the interpreter that a hook was called through, the \
                               innermost first, and among them what only looked like one: "<offset in the file> ...\n<file>", \
                               hexadecimal; see locks/callers.c */ \
    X(69, task_map)         /* ref: pid; of sched/: code comes into its memory; text: "<start> <end> <offset in the file> \
                               <path>", hexadecimal; an exec ends them, a fork copies them */ \
    X(31, native_symbol)    /* ref: 1; of symbols: text: "<begin> <end> <function>\n<path>", a function of a file that was \
                               run, and where it lies in the file, hexadecimal */ \
    X(60, mark_text)        /* ref: number from 1; what the program calls a mark or a span */      \
    X(64, task_exec)        /* ref: tid; of sched/: it became another program, as the only thread of its process */ \
    X(65, task_python)      /* ref: pid; of sched/: it has an interpreter with a GIL in memory; text: the file's name */ \
    X(68, task_inner)       /* ref: tid; of sched/: text: "<inode of its pid namespace, or 0> <its id there>" */ \
    X(66, thread_lost)      /* ref: tid, or 0; it is recorded no further; text: "<errno> <what could not be had>" */ \
    X(67, gils_missed)      /* ref: takes of GILs that there was no room for, so far; no text */ \
    X(70, recording_ended)  /* ref: tid of the recorder's own thread that ended it, at this stamp; no text */ \
    X(71, lock_ended)       /* ref: lock; its memory is another's from now on; no text */

/* X(id, name): the events of a sched stream. A CPU runs one thread at a time: in, out, in, out. Only a loss
 * ends an in otherwise. */
#define GS_SCHED_EVENTS(X)                                                                         \
    X(48, sched_in)        /* the thread begins to run on this CPU */                              \
    X(49, sched_out)       /* it leaves the CPU, because it blocks or exits */                     \
    X(50, sched_preempted) /* it leaves the CPU and could go on */                                 \
    X(51, sched_lost)      /* records were lost since this stream's previous event; tid: how many */

/* X(id, name): the events of a samples stream. */
#define GS_SAMPLE_EVENTS(X)                                                                        \
    X(7, sample)           /* a thread held a GIL, and was in this frame */

/* X(id, name): the events of a native stream. */
#define GS_NATIVE_EVENTS(X)                                                                        \
    X(30, native_sample)   /* a thread ran at this address, outside of the kernel */

#define GS_ENUM(id, name) gs_##name = id,
enum gs_event_id { GS_EVENTS(GS_ENUM) GS_NAMES(GS_ENUM) GS_SCHED_EVENTS(GS_ENUM) GS_SAMPLE_EVENTS(GS_ENUM)
                   GS_NATIVE_EVENTS(GS_ENUM) };
#undef GS_ENUM

_Static_assert(sizeof(struct gs_packet_header) == GS_HEADER_SIZE, "header");
_Static_assert(sizeof(struct gs_event) == GS_EVENT_SIZE, "event");
_Static_assert(sizeof(struct gs_sample_event) == 24, "sample event");
_Static_assert(sizeof(struct gs_native_event) == 24, "native event");
_Static_assert(sizeof(struct gs_sched_event) == GS_EVENT_SIZE, "sched event");
_Static_assert(sizeof(struct gs_name_record) == 16, "name record");

#endif
