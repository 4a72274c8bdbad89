/* Data of the core's own, seen from another of its files: reached with no detour by the table of addresses, which
 * -fvisibility does not spare declarations. */
#ifndef GILSCOPE_HIDDEN_H
#define GILSCOPE_HIDDEN_H

#define GS_HIDDEN __attribute__((visibility("hidden")))

#endif
