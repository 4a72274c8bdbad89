/* Text put together where snprintf may not be called: in hooks and forked children. */
#include "base/text.h"

void gs_append(char **at, const char *end, const char *text)
{
    while (*text != '\0' && *at < end)
        *(*at)++ = *text++;
}

static void append_digits(char **at, const char *end, uint64_t number, unsigned base)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    gs_append(at, end, first);
}

void gs_append_number(char **at, const char *end, uint64_t number)
{
    append_digits(at, end, number, 10);
}

void gs_append_hex(char **at, const char *end, uint64_t number)
{
    append_digits(at, end, number, 16);
}

bool gs_append_end(char *at, const char *end)
{
    *at = '\0';
    return at < end;
}
