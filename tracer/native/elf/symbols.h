/* Symbols of the interpreter in this process. */
#ifndef GILSCOPE_SYMBOLS_H
#define GILSCOPE_SYMBOLS_H

#include <stdbool.h>

/* Find the object that holds the interpreter. False: there is none. */
bool gs_symbols_find(void);

void *gs_symbol(const char *name); /* NULL: it has none of this name */

#endif
