/* Whether this process is armed: below all that asks. */
#ifndef GILSCOPE_STANDING_H
#define GILSCOPE_STANDING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/hidden.h"

extern GS_HIDDEN atomic_bool gs_armed;
extern GS_HIDDEN bool gs_armed_children; /* a forked child is armed, too */

#endif
