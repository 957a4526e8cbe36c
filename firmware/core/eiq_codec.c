#include "eiq_codec.h"

void eiq_reader_init(struct eiq_reader *r, const uint8_t *data, size_t size)
{
    r->at = data;
    r->end = data + size;
    r->failed = 0;
}

int eiq_reader_done(const struct eiq_reader *r)
{
    return !r->failed && r->at == r->end;
}

/* The next bytes; NULL where there are fewer. */
static const uint8_t *take(struct eiq_reader *r, uint32_t size)
{
    const uint8_t *at = r->at;
    if (r->failed || (size_t)(r->end - at) < size) {
        r->failed = 1;
        return NULL;
    }
    r->at += size;
    return at;
}

uint8_t eiq_get_bool(struct eiq_reader *r)
{
    const uint8_t *at = take(r, 1);
    if (at && *at > 1) r->failed = 1;
    return at && *at == 1;
}

uint32_t eiq_get_uint32(struct eiq_reader *r)
{
    const uint8_t *at = take(r, 4);
    return at ? at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24 : 0;
}

int32_t eiq_get_int32(struct eiq_reader *r)
{
    const uint32_t bits = eiq_get_uint32(r);
    int32_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint64_t eiq_get_uint64(struct eiq_reader *r)
{
    const uint64_t low = eiq_get_uint32(r);
    return low | (uint64_t)eiq_get_uint32(r) << 32;
}

float eiq_get_float(struct eiq_reader *r)
{
    const uint32_t bits = eiq_get_uint32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct eiq_bytes eiq_get_binary(struct eiq_reader *r)
{
    struct eiq_bytes bytes;
    bytes.size = eiq_get_uint32(r);
    bytes.data = take(r, bytes.size);
    if (!bytes.data) bytes.size = 0;
    return bytes;
}

void eiq_writer_init(struct eiq_writer *w, uint8_t *data, size_t size)
{
    w->at = data;
    w->end = data + size;
    w->failed = 0;
}

static void put(struct eiq_writer *w, const void *data, size_t size)
{
    if (w->failed || (size_t)(w->end - w->at) < size) {
        w->failed = 1;
        return;
    }
    if (size) memcpy(w->at, data, size);
    w->at += size;
}

void eiq_put_bool(struct eiq_writer *w, uint8_t value)
{
    const uint8_t byte = value != 0;
    put(w, &byte, 1);
}

void eiq_put_uint32(struct eiq_writer *w, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    put(w, bytes, sizeof bytes);
}

void eiq_put_int32(struct eiq_writer *w, int32_t value)
{
    eiq_put_uint32(w, (uint32_t)value);
}

void eiq_put_uint64(struct eiq_writer *w, uint64_t value)
{
    eiq_put_uint32(w, (uint32_t)value);
    eiq_put_uint32(w, (uint32_t)(value >> 32));
}

void eiq_put_float(struct eiq_writer *w, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    eiq_put_uint32(w, bits);
}

void eiq_put_string(struct eiq_writer *w, const char *text)
{
    const char *end = text;
    while (*end) end++;
    eiq_put_uint32(w, (uint32_t)(end - text));
    put(w, text, (size_t)(end - text));
}

void eiq_put_binary(struct eiq_writer *w, struct eiq_bytes value)
{
    eiq_put_uint32(w, value.size);
    put(w, value.data, value.size);
}
