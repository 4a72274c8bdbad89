/* N uncontended takes and drops, for an instruction counter. Usage: pairs MODE N TRACE; MODE: plain, off
 * (hooks in) or recording. */
#include <stdlib.h>
#include <string.h>

#include "../../tracer/native/gilscope.h"
#include "fake_python.h"

int main(int argc, char **argv)
{
    static struct fake_thread thread;
    char message[8192];
    if (argc != 4)
        return 2;
    thread.gil = fake_gil_new(5000);
    fake_set_current(&thread);
    fake_take(&thread);
    if (strcmp(argv[1], "plain") != 0 && gs_install(message, sizeof message) != GS_OK)
        return 1;
    if (strcmp(argv[1], "recording") == 0 && gs_start(argv[3], "", 0, message, sizeof message) != GS_OK)
        return 1;
    for (long i = atol(argv[2]); i > 0; i--) {
        fake_drop(&thread, 0);
        fake_take(&thread);
    }
    return 0;
}
