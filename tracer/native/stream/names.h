/* The names stream: text that events refer to by number. */
#ifndef GILSCOPE_NAMES_H
#define GILSCOPE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

#define GS_NAME_TEXT_MAX 1024u /* bytes of a record's text; more is cut */

/* Any thread; not under the GIL's mutex. False: nothing written, another thread was in the middle of it for
 * too long, or recording is over. */
bool gs_names_write(uint16_t id, uint32_t ref, const char *text);

/* The same, in no hook: sleeps for a moment, up to a hundred times, where another thread was in the middle of it. */
bool gs_names_write_patiently(uint16_t id, uint32_t ref, const char *text);

/* The calling thread's name in the OS. False: try again later. */
bool gs_names_comm(uint32_t tid);

/* Several records in a row, that need one another: take the turn (gs_turn_take), append, end the turn. */
bool gs_names_append(uint16_t id, uint32_t ref, const char *text);

/* What ended the recording. */
void gs_names_tell_failure(int error, const char *what);

bool gs_names_begin(void);  /* a new recording or a forked child: a new file. In one's turn. False: errno says why */
void gs_names_forget(void); /* in a forked child: what is mapped is the parent's */
void gs_names_trim(void);
void gs_names_end(uint64_t timestamp);
void gs_names_count_discarded(void); /* an event of a thread that has no stream was lost */
uint64_t gs_names_discarded(void);

#endif
