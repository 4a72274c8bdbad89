/* A table of what is known: far more keys than it has room for, one after the other, each removed when eight more are
 * there. Prints how often something was not as it should be. */
#include <stdio.h>

#include "base/hash.h"
#include "base/known.h"

#define KEYS 2000000u
#define AT_ONCE 8u
#define STAY 1000u

static uint64_t key_of(uint32_t number)
{
    return gs_mix(number, 7);
}

int main(void)
{
    unsigned wrong = !gs_known_reserve();
    for (uint32_t number = 1; number <= KEYS; number++) {
        wrong += gs_known_find(key_of(number)) != 0 || !gs_known_has_room(key_of(number));
        wrong += !gs_known_add(key_of(number), number) || gs_known_find(key_of(number)) != number;
        if (number > STAY + AT_ONCE) {
            gs_known_remove(key_of(number - AT_ONCE));
            wrong += gs_known_find(key_of(number - AT_ONCE)) != 0;
        }
    }
    for (uint32_t number = 1; number <= STAY; number++)
        wrong += gs_known_find(key_of(number)) != number;
    printf("%u\n", wrong);
    return 0;
}
