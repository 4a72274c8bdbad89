/* Work with files for a thread of the program, in a thread of our own that lasts a moment.
 *
 * An open in the program's own thread would take the lowest free number, which another thread may be about to get
 * (close(0); open(...)), and our close would then close the program's file. The thread made here has a table of
 * descriptors of its own, an empty one, and the memory in common: it opens, maps, closes and ends, while the caller
 * waits. No signal reaches it: SIGXFSZ, which a write at the limit on files' sizes raises, ends with it. It is made
 * without the C library, so it neither keeps the process alive nor runs what the program does at a thread's end. */
#ifndef GILSCOPE_ASIDE_H
#define GILSCOPE_ASIDE_H

#include <stdbool.h>

#define GS_OWN_NAME "gilscope " /* what the names in the OS of the core's own threads begin with: none of them is the program's */

void gs_aside_forget(void); /* in a forked child: who was aside does not exist there */

/* Run function(argument) there. Returns what it returned, with its errno; -1 also if it could not be run. Async-signal-
 * safe, if function is. The caller's thread-local variables are function's, too. May be nested. */
int gs_aside(int (*function)(void *), void *argument);

/* The calling thread, which is our own, gets an empty table of descriptors for as long as it lives. False: the kernel
 * can't do that (before Linux 5.9). */
bool gs_aside_stay(void);
void gs_aside_close_all(void); /* in such a thread */

/* open and close there: a sanitizer knows one table of descriptors, and would take two files for one. */
int gs_aside_open(const char *path, int flags, unsigned mode);
void gs_aside_close(int fd);

#endif
