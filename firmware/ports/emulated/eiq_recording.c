#include "eiq_recording.h"
#include <string.h>
#include "eiq_rpc.h"

#define HEAD_BYTES 12u
#define SENSOR_BYTES 128u
#define NAMES 28u /* place of the names in a sensor's 128 bytes */

static uint32_t number(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static float real(const uint8_t *at)
{
    const uint32_t bits = number(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int start(void *user, int fast)
{
    struct eiq_recording *r = user;
    r->fast = fast;
    r->started = r->port->ticks(r->port->user);
    return 0;
}

/* Sample n is there (n + 1) / rate after the start. */
static uint32_t ready(void *user)
{
    const struct eiq_recording *r = user;
    const uint64_t passed = r->port->ticks(r->port->user) - r->started;
    const double count = (double)passed * (double)r->rate_hz / (double)r->port->tick_hz;
    return r->fast || count >= (double)r->samples ? r->samples : (uint32_t)count;
}

static uint32_t read(void *user, uint32_t *at, uint32_t count, void *out)
{
    const struct eiq_recording *r = user;
    const uint32_t there = ready(user);
    const uint32_t rest = *at < there ? there - *at : 0;
    if (count > rest) count = rest;
    if (count) memcpy(out, r->data + (size_t)*at * r->sample_bytes, (size_t)count * r->sample_bytes);
    return count;
}

/* Returns 0 where the description makes no sense. */
static int open_one(struct eiq_sensor *s, struct eiq_recording *r, const uint8_t *at, const uint8_t *blob, size_t size)
{
    const uint32_t kind = number(at), dtype = number(at + 4), channels = number(at + 8), offset = number(at + 24);
    const uint64_t bytes = (uint64_t)channels * (dtype == EIQ_DTYPE_INT16 ? 2u : 4u);
    r->rate_hz = s->rate_hz = real(at + 12);
    r->samples = s->samples = number(at + 20);
    if (kind > EIQ_SENSOR_MICROPHONE || (dtype != EIQ_DTYPE_INT16 && dtype != EIQ_DTYPE_FLOAT32)) return 0;
    if (!channels || channels > 32 || !(r->rate_hz > 0.0f && r->rate_hz < 1e9f) || at[SENSOR_BYTES - 1]) return 0;
    if (offset > size || bytes * r->samples > size - offset) return 0;
    r->sample_bytes = (uint32_t)bytes;
    r->data = blob + offset;
    s->kind = (uint8_t)kind;
    s->dtype = (uint8_t)dtype;
    s->channels = (uint8_t)channels;
    s->scale = real(at + 16);
    s->names = (const char *)at + NAMES;
    s->user = r;
    s->start = start;
    s->ready = ready;
    s->read = read;
    return 1;
}

void eiq_recordings_open(struct eiq_recordings *all, struct eiq_port *port, const uint8_t *blob, size_t size)
{
    uint32_t count;
    memset(all, 0, sizeof *all);
    port->sensors = all->sensors;
    port->sensor_count = 0;
    if (!blob || size < HEAD_BYTES || memcmp(blob, "EIQR", 4) || number(blob + 4) != 1) return;
    count = number(blob + 8);
    if (count > EIQ_MAX_RECORDINGS || size - HEAD_BYTES < count * SENSOR_BYTES) return;
    for (uint32_t i = 0; i < count; i++) {
        all->of[i].port = port;
        if (!open_one(&all->sensors[i], &all->of[i], blob + HEAD_BYTES + i * SENSOR_BYTES, blob, size)) return;
    }
    port->sensor_count = count;
}
