/* Sensors that play recordings in memory, for boards that are emulated.

   The blob, little-endian: "EIQR", uint32 version 1, uint32 sensors; of each 128 bytes: uint32 kind, dtype (int16 or
   float32), channels, float rate in Hz, float scale, uint32 samples, uint32 offset of its data in the blob, 100 bytes of
   names, NUL at their end; then the data, channels interleaved. */
#ifndef EIQ_RECORDING_H
#define EIQ_RECORDING_H
#include <stddef.h>
#include <stdint.h>
#include "eiq_port.h"

#define EIQ_MAX_RECORDINGS 8

struct eiq_recording {
    const struct eiq_port *port; /* its clock */
    const uint8_t *data;
    uint32_t sample_bytes, samples;
    float rate_hz;
    int fast;
    uint64_t started;
};

struct eiq_recordings {
    struct eiq_sensor sensors[EIQ_MAX_RECORDINGS];
    struct eiq_recording of[EIQ_MAX_RECORDINGS];
};

/* Give the port the sensors of a blob: none where there is no blob, or one that is not as above. */
void eiq_recordings_open(struct eiq_recordings *all, struct eiq_port *port, const uint8_t *blob, size_t size);
#endif
