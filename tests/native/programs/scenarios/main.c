/* Programs with known numbers of takes, waits and drops, under the recorder. Usage: scenarios NAME TRACE [N].
 * Prints what the fake interpreter counted, a line a process: "pid takes contended timeouts drops answered
 * requested abandoned". The Python test that runs this holds the trace against it. */
#include <string.h>

#include "scenarios.h"

static const struct {
    const char *name;
    void (*run)(void);
    long interval_us, amount;
} scenarios[] = {
    {"contention", contention, 500, 300}, {"churn", churn, 5000, 1000}, {"crowd", crowd, 5000, 500},
    {"long_wait", long_wait, 20, 1500},   {"abandon", abandon, 1000, 0}, {"more_gils", more_gils, 5000, 5},
    {"many_gils", many_gils, 5000, 3000},
    {"forks", forks, 500, 10},            {"restarts", restarts, 500, 30}, {"full", full, 5000, 32768},
    {"cancel", cancel, 5000, 5000},       {"closed", closed, 5000, 0},
    {"interposed_before", interposed_before, 5000, 0}, {"interposed_after", interposed_after, 5000, 0},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        DIE("usage: scenarios NAME TRACE [N]");
    trace = argv[2];
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            amount = argc > 3 ? atol(argv[3]) : scenarios[i].amount;
            gil = fake_gil_new(scenarios[i].interval_us);
            main_thread.gil = gil;
            fake_set_current(&main_thread);
            fake_take(&main_thread);
            scenarios[i].run();
            return 0;
        }
    DIE("no scenario %s", argv[1]);
}
