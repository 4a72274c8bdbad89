/* Threads that Python did not make, and that use it at odd moments. Loaded with ctypes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static int (*ensure)(void);
static void (*release)(int);

static void touch(void)
{
    release(ensure());
}

static void destructor(void *value)
{
    (void)value;
    touch(); /* after the recorder may have let go of the thread */
}

static pthread_key_t key;

static void *in_destructor(void *unused)
{
    (void)unused;
    touch();
    pthread_setspecific(key, &key);
    return NULL;
}

static void *in_cancellation(void *unused)
{
    (void)unused;
    touch();
    pthread_exit(NULL);
}

static void run(void *(*body)(void *), int count)
{
    pthread_t thread;
    for (int i = 0; i < count; i++) {
        pthread_create(&thread, NULL, body, NULL);
        pthread_join(thread, NULL);
    }
}

/* Call without the GIL. */
void odd_threads(int count)
{
    ensure = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Ensure");
    release = (void (*)(int))dlsym(RTLD_DEFAULT, "PyGILState_Release");
    pthread_key_create(&key, destructor);
    run(in_destructor, count);
    run(in_cancellation, count);
}
