/* eRPC's basic codec: numbers little-endian and packed. string and binary: uint32 length + bytes; list: uint32 count + its
   elements; enum: int32; bool: one byte. */
#ifndef EIQ_CODEC_H
#define EIQ_CODEC_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct eiq_bytes {
    const uint8_t *data;
    uint32_t size;
};

/* What is read beyond the end, or is no value of its type, reads as 0 and is remembered. */
struct eiq_reader {
    const uint8_t *at, *end;
    int failed;
};

void eiq_reader_init(struct eiq_reader *r, const uint8_t *data, size_t size);
/* Whether all was there, and nothing is left over. */
int eiq_reader_done(const struct eiq_reader *r);
uint8_t eiq_get_bool(struct eiq_reader *r);
uint32_t eiq_get_uint32(struct eiq_reader *r);
int32_t eiq_get_int32(struct eiq_reader *r);
uint64_t eiq_get_uint64(struct eiq_reader *r);
float eiq_get_float(struct eiq_reader *r);
/* Points into the message. */
struct eiq_bytes eiq_get_binary(struct eiq_reader *r);

/* What does not fit is not written, and is remembered. */
struct eiq_writer {
    uint8_t *at, *end;
    int failed;
};

void eiq_writer_init(struct eiq_writer *w, uint8_t *data, size_t size);
void eiq_put_bool(struct eiq_writer *w, uint8_t value);
void eiq_put_uint32(struct eiq_writer *w, uint32_t value);
void eiq_put_int32(struct eiq_writer *w, int32_t value);
void eiq_put_uint64(struct eiq_writer *w, uint64_t value);
void eiq_put_float(struct eiq_writer *w, float value);
void eiq_put_string(struct eiq_writer *w, const char *text);
void eiq_put_binary(struct eiq_writer *w, struct eiq_bytes value);
#endif
