/* Calls that leave one object, found and redirected in its global offset table. */
#ifndef GILSCOPE_GOT_H
#define GILSCOPE_GOT_H

#include <stdbool.h>
#include <stddef.h>

struct gs_hook;

/* Redirect the calls of the object that contains code to the hooks of a table; there may be two tables. False:
 * message says which call was not found, and nothing has changed. */
bool gs_got_patch(const void *code, const struct gs_hook *table, char *message, size_t size);

/* Put back what was there, in each slot of a table, or of every table, that still holds our hook. */
void gs_got_restore_table(const struct gs_hook *table);
void gs_got_restore(void);

#endif
