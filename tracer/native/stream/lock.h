/* A file beside the streams, locked for as long as this process may write to them: whoever gets the lock may cut what
 * is left of them. It also tells the launcher how far each stream is. */
#ifndef GILSCOPE_LOCK_H
#define GILSCOPE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#define GS_LOCK_NAME ".lock" /* hidden: it is no stream */

#define GS_PROGRESS_MAGIC 0x50534731u /* "1GSP" */
#define GS_PROGRESS_STREAMS 2044u

/* The file's content. tracer/beside/ahead.py and tracer/directory.py read it. */
struct gs_progress {
    uint32_t magic;
    uint32_t streams; /* how many have said anything */
    uint32_t locked; /* 1: else the lock says nothing, the file system does not keep it */
    uint32_t reserved;
    uint32_t packets[GS_PROGRESS_STREAMS]; /* of each stream: made ready */
};

/* In a process's new directory, aside. False: the directory can't be written to. */
bool gs_lock_make(void);

void gs_lock_tell(uint32_t stream, uint64_t packets);
void gs_lock_forget(void); /* in a forked child: it is the parent's */

/* The recording has ended. trimmed: there is nothing to cut, so nobody need wait for the lock. */
void gs_lock_end(bool trimmed);

#endif
