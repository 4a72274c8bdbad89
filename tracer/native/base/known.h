/* A table from 64-bit keys to numbers. Read without a lock by any thread; one thread at a time adds and removes. It
 * keeps no keys apart that are equal: they are hashes, of which 2^20 clash with a chance of 2^-25. */
#ifndef GILSCOPE_KNOWN_H
#define GILSCOPE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

bool gs_known_reserve(void); /* once, or again; false: no address space */
void gs_known_forget(void);  /* all of it */

uint32_t gs_known_find(uint64_t key); /* 0: it is not there */

bool gs_known_has_room(uint64_t key);

/* number > 0. False: there is no room for this key. */
bool gs_known_add(uint64_t key, uint32_t number);

/* Nobody looks for this key any more: whoever still did might find the number of the next one in its place. */
void gs_known_remove(uint64_t key);

#endif
