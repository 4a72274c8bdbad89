/* Text put together where snprintf may not be called: in hooks and forked children. */
#ifndef GILSCOPE_TEXT_H
#define GILSCOPE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Append at *at, never beyond end, which has room for one more byte. */
void gs_append(char **at, const char *end, const char *text);
void gs_append_number(char **at, const char *end, uint64_t number);
void gs_append_hex(char **at, const char *end, uint64_t number);
bool gs_append_end(char *at, const char *end); /* ends the text; false: it did not fit */

#endif
