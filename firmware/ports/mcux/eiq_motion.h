/* Motion samples between the interrupt that reads them and the host that asks for them: no SDK in here. */
#ifndef EIQ_MOTION_H
#define EIQ_MOTION_H
#include <stdint.h>

#define EIQ_AXES 3u
#define EIQ_MOTION_KEPT 1024u /* samples; a power of two, so that indices may wrap */

/* The latest samples, by their index since the start. */
struct eiq_motion {
    int16_t samples[EIQ_MOTION_KEPT][EIQ_AXES];
    uint32_t ready; /* how many there have been, the lost ones too */
    uint32_t gap;   /* those before it were lost by the chip, or lie before something that was */
};

void eiq_motion_begin(struct eiq_motion *motion);

/* Samples as the FXOS8700CQ gives them: 14 bits at the top of 16, high byte first; stored as counts, -8192 to 8191. */
void eiq_motion_put(struct eiq_motion *motion, const uint8_t *bytes, uint32_t count);

/* So many never came: their indices are passed over, and what is older cannot be read any more. */
void eiq_motion_lose(struct eiq_motion *motion, uint32_t count);

/* As eiq_sensor.read says. */
uint32_t eiq_motion_get(const struct eiq_motion *motion, uint32_t *at, uint32_t count, int16_t *out);

/* How many samples a chip has lost: as many as its rate says for the time since it was last read, less those that were
   still there. */
uint32_t eiq_motion_lost(uint64_t ticks, uint32_t tick_hz, uint32_t rate_hz, uint32_t kept);
#endif
