/* What who arms a process needs of recordings, beyond gilscope.h. */
#ifndef GILSCOPE_RECORDING_H
#define GILSCOPE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>

/* Learn what takes the GIL to learn, for gs_start_outside. Called with it held. */
void gs_samples_learn(void);

/* As gs_start and gs_stop, in a thread that has no GIL and no events of its own: the helper. */
int gs_start_outside(const char *directory, const char *environment, bool follow_forks, bool stacks, char *message,
                     size_t size);
void gs_stop_outside(void);

#endif
