/* What a stack is read from, in an interpreter of ours: it publishes its layout as 3.13 does, and looks like no
 * version that there ever was. */
#ifndef FAKE_FRAMES_H
#define FAKE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct fake_gil;
struct fake_object;
struct fake_thread;

struct fake_frame {
    char owner;
    const void *executable; /* a code object, perhaps with a tag bit */
    const char *instruction;
    struct fake_frame *previous;
};

/* A thread state. */
struct fake_state {
    int nothing;
    struct fake_frame *current_frame;
    struct fake_interpreter *interpreter;
    struct fake_interpreter {
        char before[40];
        struct fake_gil *gil;
    } its;
};

#define FAKE_CODE_SIZE 256 /* bytes that one may have */

/* Hold the GIL. Make a code object in memory of FAKE_CODE_SIZE bytes, in place of the one that was there. kind: bytes a
 * character of its name. version: as co_version, 0: none. Its 32 instructions are eight a line, from the line after its first on. */
void fake_code(void *memory, const char *name, unsigned kind, const char *file, int first_line, uint32_t version);
void fake_code_forget(void *memory); /* what belongs to it */

void fake_state_begin(struct fake_state *state, struct fake_gil *gil); /* the calling thread's from here on */
void fake_state_end(void);
void fake_main(struct fake_thread *thread); /* the calling thread takes a GIL of its own and has a state */

/* Enter a function, at an instruction of it; its frame is the caller's to keep. */
void fake_enter(struct fake_frame *frame, const void *code, unsigned instruction);
void fake_push(struct fake_frame *frame); /* one that is ready but for its caller */
void fake_leave(void);
void fake_stand(int depth, int numbered); /* enter so many functions, at most 64; numbered: they have versions */

extern int fake_finalizing;

#endif
