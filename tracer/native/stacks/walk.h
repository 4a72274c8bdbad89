/* The steps of a walk over frames: inline, so that the compiler can put a layout's offsets in that it knows. */
#ifndef GILSCOPE_WALK_H
#define GILSCOPE_WALK_H

#include "stacks/layout_3_11.h"
#include "stacks/stacks.h"

#define GS_MOST_STEPS 1024 /* frames and what lies between them: no endless chain */
#define GS_TAG ((uintptr_t)3) /* bits of a reference that 3.14 tags */
#define GS_INLINE static inline __attribute__((always_inline))

/* Its layout is gs_layout_3_11. */
static inline bool gs_is_3_11(const struct gs_layout *layout)
{
    return layout->cframe != 0 && layout->version == 0;
}

/* What a frame runs, or NULL if that is no code object that lives. */
GS_INLINE const char *gs_code_of(const struct gs_layout *layout, const void *code_type, const char *frame)
{
    if (gs_load(uint8_t, frame, layout->owner) >= GS_FIRST_INTERNAL)
        return NULL;
    uintptr_t executable = gs_load(uintptr_t, frame, layout->executable) & ~GS_TAG;
    const char *code = (const char *)executable;
    if (executable < GS_LOWEST_ADDRESS || gs_load(const void *, code, layout->type) != code_type ||
        (!layout->free_threaded && gs_load(uint32_t, code, 0) == 0)) /* its reference count: it is being freed */
        return NULL;
    return code;
}

GS_INLINE const char *gs_innermost(const struct gs_layout *layout, const char *thread_state)
{
    if (layout->cframe != 0)
        thread_state = gs_load(const char *, thread_state, layout->cframe);
    return gs_load(const char *, thread_state, layout->current_frame);
}

#endif
