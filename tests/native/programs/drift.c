/* The recorder's clock on a machine whose clocks are simulated: two hours of a processor's counter that NTP bends
 * against, stops for a suspend, and sets off. Prints the largest error in nanoseconds, how many stamps were made, and
 * what share of them asked the kernel. Usage: drift. */
#include <stdint.h>

static uint64_t simulated_counter(void);
#define GS_COUNTER() simulated_counter()
#include "base/clock.c"

#include <stdio.h>

#define GHZ 2.5

static double counter_time; /* ns of true time that the counter has seen */
static double kernel_time = 1e12; /* CLOCK_MONOTONIC, ns */
static double rate = 1.0;   /* of the kernel's clock, as NTP has bent it */
static uint64_t kernel_reads;

static void pass(double ns)
{
    counter_time += ns;
    kernel_time += ns * rate;
}

static uint64_t simulated_counter(void)
{
    pass(4);
    return (uint64_t)(counter_time * GHZ);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    (void)id;
    pass(20);
    kernel_reads++;
    uint64_t ns = (uint64_t)kernel_time;
    *now = (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    return 0;
}

int main(void)
{
    uint64_t stamps = 0, random = 88172645463325252u;
    double worst = 0, next_bend = 0, end = kernel_time + 7200e9;
    gs_clock_initialise();
    trusted = true;
    while (kernel_time < end) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        if (kernel_time > next_bend) { /* anew each second, by up to 500 in a million */
            rate = 1 + ((double)(random >> 40) / (1 << 24) - 0.5) * 500e-6;
            next_bend = kernel_time + 1e9;
            if (random % 100 == 0)
                counter_time += 3e9; /* suspended: the counter went on, CLOCK_MONOTONIC did not */
            if (random % 100 == 1)
                pass(5e9); /* nothing to stamp for a while */
        }
        pass(random % 16 == 0 ? (double)(random % 40000000) : (double)(random % 20000));
        double before = kernel_time;
        double stamp = (double)gs_now();
        double error = stamp < before ? before - stamp : stamp > kernel_time ? stamp - kernel_time : 0;
        worst = error > worst ? error : worst;
        stamps++;
    }
    printf("%.0f %llu %.3f\n", worst, (unsigned long long)stamps, (double)kernel_reads / (double)stamps);
}
