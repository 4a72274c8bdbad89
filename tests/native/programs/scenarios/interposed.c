/* Somebody else's hooks in the same slots. */
#define _GNU_SOURCE
#include "gilscope.h"
#include "scenarios.h"

int interposer_install(const void *code, char *message, size_t size);
void interposer_remove(void);
long interposer_calls(void);

static void work_some(void)
{
    for (int i = 0; i < 100; i++) {
        fake_drop(&main_thread, 0);
        fake_take(&main_thread);
    }
}

static void interpose(void)
{
    char message[512];
    if (!interposer_install((void *)PyEval_SaveThread, message, sizeof message))
        DIE("%s", message);
}

static void expect_calls(long *before, int more)
{
    long now = interposer_calls();
    if ((now > *before) != more)
        DIE("the other hooks were %scalled", more ? "not " : "");
    *before = now;
}

/* Their hooks are in before ours, and stay when ours go. */
void interposed_before(void)
{
    long calls = 0;
    interpose();
    start();
    work_some();
    expect_calls(&calls, 1);
    finish();
    gs_uninstall();
    work_some();
    expect_calls(&calls, 1);
    interposer_remove();
    work_some();
    expect_calls(&calls, 0);
}

/* Theirs come over ours: ours can't be taken out from below, and must not call themselves when put in again. */
void interposed_after(void)
{
    long calls = 0;
    install();
    interpose();
    work_some();
    expect_calls(&calls, 1);
    gs_uninstall();
    work_some();
    expect_calls(&calls, 1);
    start();
    work_some();
    expect_calls(&calls, 1);
    finish();
    interposer_remove();
    gs_uninstall();
    work_some();
    expect_calls(&calls, 0);
    install();
    work_some();
}
