/* Text put together where snprintf may not be called: in hooks and forked children. */
#include "base/text.h"

void gs_append(char **at, const char *end, const char *text)
{
    while (*text != '\0' && *at < end)
        *(*at)++ = *text++;
}

void gs_append_number(char **at, const char *end, uint64_t number)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    gs_append(at, end, first);
}

bool gs_append_end(char *at, const char *end)
{
    *at = '\0';
    return at < end;
}
