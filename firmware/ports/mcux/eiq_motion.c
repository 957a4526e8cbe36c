#include "eiq_motion.h"
#include <string.h>

void eiq_motion_begin(struct eiq_motion *motion)
{
    motion->ready = 0;
    motion->gap = 0;
}

static int16_t counts(const uint8_t *bytes)
{
    int32_t word = bytes[0] * 256 + bytes[1];
    return (int16_t)((word < 0x8000 ? word : word - 0x10000) / 4); /* the lowest two bits are 0: exact */
}

void eiq_motion_put(struct eiq_motion *motion, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, motion->ready++)
        for (uint32_t axis = 0; axis < EIQ_AXES; axis++, bytes += 2)
            motion->samples[motion->ready % EIQ_MOTION_KEPT][axis] = counts(bytes);
}

void eiq_motion_lose(struct eiq_motion *motion, uint32_t count)
{
    motion->ready += count;
    motion->gap = motion->ready;
}

uint32_t eiq_motion_get(const struct eiq_motion *motion, uint32_t *at, uint32_t count, int16_t *out)
{
    uint32_t kept = motion->ready - motion->gap; /* modulo 2^32, as all indices here */
    if (kept > EIQ_MOTION_KEPT) kept = EIQ_MOTION_KEPT;
    uint32_t ahead = motion->ready - *at;
    if (ahead > UINT32_MAX / 2) return 0; /* in the future */
    if (ahead > kept) {
        *at = motion->ready - kept;
        ahead = kept;
    }
    if (count > ahead) count = ahead;
    for (uint32_t i = 0; i < count; i++)
        memcpy(out + i * EIQ_AXES, motion->samples[(*at + i) % EIQ_MOTION_KEPT], sizeof motion->samples[0]);
    return count;
}

uint32_t eiq_motion_lost(uint64_t ticks, uint32_t tick_hz, uint32_t rate_hz, uint32_t kept)
{
    uint64_t due = (ticks * rate_hz + tick_hz / 2u) / tick_hz;
    return due > kept ? (uint32_t)(due - kept) : 0u;
}
