#include "eiq_frame.h"
#include <string.h>
#include "eiq_crc.h"

static uint32_t get16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* As eRPC does it: two CRCs that are added. */
static uint32_t header_crc(const uint8_t *header)
{
    const uint32_t size = eiq_crc16(EIQ_CRC16_START, header + 2, 2);
    return (size + eiq_crc16(EIQ_CRC16_START, header + 4, 2)) & 0xFFFFu;
}

void eiq_decoder_init(struct eiq_decoder *d)
{
    d->from = d->to = d->good = d->bad = 0;
}

uint8_t *eiq_decoder_space(struct eiq_decoder *d, size_t *size)
{
    if (d->from) {
        memmove(d->bytes, d->bytes + d->from, d->to - d->from);
        d->to -= d->from;
        d->from = 0;
    }
    *size = sizeof d->bytes - d->to;
    return d->bytes + d->to;
}

void eiq_decoder_add(struct eiq_decoder *d, size_t size)
{
    d->to += (uint32_t)size;
}

enum eiq_found eiq_decoder_next(struct eiq_decoder *d, const uint8_t **message, size_t *size)
{
    for (; d->to - d->from >= EIQ_HEADER_BYTES; d->from++) {
        const uint8_t *header = d->bytes + d->from;
        const uint32_t claimed = get16(header + 2);
        if (header_crc(header) != get16(header)) continue;
        if (claimed > EIQ_MAX_FRAME) {
            d->from++;
            d->bad++;
            return EIQ_FOUND_TOO_LARGE;
        }
        if (d->to - d->from < EIQ_HEADER_BYTES + claimed) break;
        *message = header + EIQ_HEADER_BYTES;
        *size = claimed;
        if (eiq_crc16(EIQ_CRC16_START, *message, claimed) == get16(header + 4)) {
            d->from += EIQ_HEADER_BYTES + claimed;
            d->good++;
            return EIQ_FOUND_MESSAGE;
        }
        d->bad++;
    }
    return EIQ_FOUND_NONE;
}

int eiq_decoder_idle(struct eiq_decoder *d)
{
    if (d->from == d->to) return 0;
    if (d->to - d->from < EIQ_HEADER_BYTES) {
        d->from = d->to; /* no frame is that short */
    } else {
        d->from++;
        d->bad++;
    }
    return 1;
}

size_t eiq_frame_finish(uint8_t *frame, size_t size)
{
    put16(frame + 2, (uint32_t)size);
    put16(frame + 4, eiq_crc16(EIQ_CRC16_START, frame + EIQ_HEADER_BYTES, size));
    put16(frame, header_crc(frame));
    return EIQ_HEADER_BYTES + size;
}
