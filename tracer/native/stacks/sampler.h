/* What the code was that ran while a thread held a GIL: samples, of holds that somebody waits for, and of long ones. A
 * job of the helper. What a thread pays that is sampled is nothing: it is looked at, it does not look. */
#ifndef GILSCOPE_SAMPLER_H
#define GILSCOPE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

/* Before a recording: whether it will have samples. False: message says why not. */
bool gs_sampler_prepare(char *message, size_t size);

/* Whether that has been found once, and stacks are on: where the GIL is not held. */
bool gs_sampler_is_ready(void);

void gs_sampler_begin(void); /* a new recording, or a forked child: a new file. Nothing is recorded now. */
void gs_sampler_forget(void); /* in a forked child: what is mapped is the parent's */
void gs_sampler_trim(void);   /* after a recording */

#endif
