/* The names stream: text that events refer to by number. */
#ifndef GILSCOPE_NAMES_H
#define GILSCOPE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* Any thread; not under the GIL's mutex. False: nothing written, another thread was in the middle of it for
 * too long, or recording is over. */
bool gs_names_write(uint16_t id, uint32_t ref, const char *text);

/* The calling thread's name in the OS. False: try again later. */
bool gs_names_comm(uint32_t tid);

bool gs_names_begin(void); /* a new recording or a forked child: a new file */
void gs_names_end(uint64_t timestamp);
void gs_names_count_discarded(void); /* an event of a thread that has no stream was lost */
uint64_t gs_names_discarded(void);

#endif
