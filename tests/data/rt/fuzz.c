/* Mutated frames for the firmware's frame decoder and calls. After each, the board must answer a hello.

   With libFuzzer: clang -fsanitize=fuzzer,address,undefined -DLIBFUZZER …; without: fuzz SEED COUNT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "board.h"
#include "eiq_crc.h"
#include "eiq_frame.h"
#include "eiq_rpc.h"

#define SESSION 0x5E5510Fu
#define ROOM 2048u
#define MODELS 4u
#define SOUND 400u /* samples */

static uint8_t out[BOARD_OUT_BYTES];

/* Two sensors: two samples of three int16, and sound. */
static uint8_t blob[12 + 2 * 128 + 12 + 2 * SOUND];

static void number(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void real(uint8_t *at, float value)
{
    memcpy(at, &value, sizeof value);
}

static void record(uint8_t *at, uint32_t kind, uint32_t dtype, uint32_t channels, uint32_t samples, uint32_t offset)
{
    number(at, kind);
    number(at + 4, dtype);
    number(at + 8, channels);
    real(at + 12, 1000.0f);
    real(at + 16, 1.0f);
    number(at + 20, samples);
    number(at + 24, offset);
}

static void begin(void)
{
    memcpy(blob, "EIQR", 4);
    number(blob + 4, 1);
    number(blob + 8, 2);
    record(blob + 12, EIQ_SENSOR_MOTION, EIQ_DTYPE_INT16, 3, 2, 268);
    record(blob + 140, EIQ_SENSOR_MICROPHONE, EIQ_DTYPE_INT16, 1, SOUND, 280);
    for (uint32_t i = 280; i < sizeof blob; i++) blob[i] = (uint8_t)(i * i);
    board_begin(blob, sizeof blob);
}

static size_t message(uint8_t *frame, uint32_t method, uint32_t type, uint32_t sequence, struct eiq_writer *w)
{
    const size_t size = (size_t)(w->at - frame) - EIQ_HEADER_BYTES;
    number(frame + EIQ_HEADER_BYTES, 1u << 24 | EIQ_SERVICE_EIQ << 16 | method << 8 | type);
    number(frame + EIQ_HEADER_BYTES + 4, sequence);
    return eiq_frame_finish(frame, size);
}

static void open_message(uint8_t *frame, struct eiq_writer *w)
{
    eiq_writer_init(w, frame + EIQ_HEADER_BYTES + 8, EIQ_MAX_FRAME - 8);
}

static size_t hello(uint8_t *frame, uint32_t sequence)
{
    struct eiq_writer w;
    open_message(frame, &w);
    eiq_put_uint32(&w, EIQ_PROTOCOL);
    eiq_put_uint32(&w, EIQ_INTERFACE);
    eiq_put_uint32(&w, SESSION);
    eiq_put_uint32(&w, EIQ_MAX_FRAME);
    return message(frame, EIQ_METHOD_HELLO, 0, sequence, &w);
}

/* Every reply is a right frame, and the last one answers this hello, after what a host waits at the least. */
static void must_live(uint32_t sequence)
{
    static struct eiq_decoder decoder;
    uint8_t frame[EIQ_HEADER_BYTES + EIQ_MAX_FRAME];
    const uint8_t *found = NULL;
    size_t size = 0, room, said;
    board_pass(100);
    board_say(NULL, 0, out);
    said = board_say(frame, hello(frame, sequence), out);
    eiq_decoder_init(&decoder);
    memcpy(eiq_decoder_space(&decoder, &room), out, said < sizeof decoder.bytes ? said : sizeof decoder.bytes);
    eiq_decoder_add(&decoder, said);
    if (eiq_decoder_next(&decoder, &found, &size) != EIQ_FOUND_MESSAGE || decoder.from != decoder.to) abort();
    if (found[1] != EIQ_METHOD_HELLO || found[2] != EIQ_SERVICE_EIQ || memcmp(found + 4, (uint8_t[4]){
            (uint8_t)sequence, (uint8_t)(sequence >> 8), (uint8_t)(sequence >> 16), (uint8_t)(sequence >> 24)}, 4)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of each piece the first byte says what it is, the second one how long. */
static size_t piece(uint8_t *frame, const uint8_t *data, size_t size, uint32_t kind)
{
    uint8_t *body = frame + EIQ_HEADER_BYTES;
    const uint32_t method = kind & 15u;
    switch (kind >> 6) {
    case 0: /* as it is */
        memcpy(frame, data, size);
        return size;
    case 1: /* a message: its CRCs are right */
        memcpy(body, data, size);
        return eiq_frame_finish(frame, size);
    default: /* arguments: what is in front of them is right too, and the session */
        number(body, 1u << 24 | EIQ_SERVICE_EIQ << 16 | method << 8 | (method == EIQ_METHOD_WRITE_INPUT));
        number(body + 4, kind);
        number(body + 8, SESSION);
        memcpy(body + 12, data, size);
        return eiq_frame_finish(frame, 12 + size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t frame[EIQ_HEADER_BYTES + EIQ_MAX_FRAME];
    begin();
    board_say(frame, hello(frame, 1), out);
    while (size > 2) {
        const uint32_t kind = data[0];
        const size_t rest = size - 2, some = data[1] < rest ? data[1] : rest;
        board_say(frame, piece(frame, data + 2, some, kind), out);
        data += 2 + some;
        size -= 2 + some;
    }
    must_live(2);
    return 0;
}

#ifndef LIBFUZZER
static uint32_t state;

/* Marsaglia's xorshift: the same numbers on every machine. */
static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

/* Mostly what makes sense. */
static uint32_t some(uint32_t below)
{
    static const uint32_t edges[] = {0xFFFFFFFFu, 0x80000000u, 0x7FFFFFFFu, 65535u, 4000u, 1500u, 513u, 512u};
    return draw(16) ? draw(below) : edges[draw(sizeof edges / sizeof *edges)];
}

static uint32_t session(void)
{
    return draw(32) ? SESSION : some(5);
}

/* An input of the larger models; mostly the same one, so that it becomes whole at times. */
static uint8_t input[4000 + EIQ_MAX_FRAME];

static void put_key(struct eiq_writer *w)
{
    eiq_put_uint32(w, session());
    eiq_put_uint32(w, draw(16) ? 1 : some(MODELS + 1));
    eiq_put_uint32(w, draw(64) ? eiq_crc32(EIQ_CRC32_START, input, 4000) : draw(3));
}

static void put_data(struct eiq_writer *w, const uint8_t *data, uint32_t size)
{
    struct eiq_bytes bytes = {data, size};
    eiq_put_binary(w, bytes);
}

static void put_part(struct eiq_writer *w)
{
    const uint32_t offset = some(4001), size = draw(450);
    const uint32_t from = offset < 4000 ? offset : 4000, rest = 4000 - from;
    eiq_put_uint32(w, offset);
    put_data(w, input + from, size > rest && draw(4) ? rest : size);
}

static void put_whole(struct eiq_writer *w)
{
    uint8_t small[10];
    number(small, draw(1000));
    memset(small + 4, 7, 6);
    eiq_put_uint32(w, session());
    eiq_put_uint32(w, 0);
    eiq_put_uint32(w, eiq_crc32(EIQ_CRC32_START, small, sizeof small));
    put_data(w, small, sizeof small);
}

/* A call whose arguments can be decoded. */
static size_t call(uint8_t *frame, uint32_t sequence)
{
    struct eiq_writer w;
    const uint32_t method = draw(2) ? 1 + draw(15) : EIQ_METHOD_WRITE_INPUT; /* an input has many parts */
    open_message(frame, &w);
    switch (method) {
    case EIQ_METHOD_HELLO:
        eiq_put_uint32(&w, EIQ_PROTOCOL);
        eiq_put_uint32(&w, EIQ_INTERFACE);
        eiq_put_uint32(&w, session());
        eiq_put_uint32(&w, draw(4) ? EIQ_MAX_FRAME : some(600));
        break;
    case EIQ_METHOD_DESCRIBE_TENSOR:
        eiq_put_uint32(&w, some(MODELS + 1));
        eiq_put_uint32(&w, some(5));
        break;
    case EIQ_METHOD_WRITE_INPUT:
        put_key(&w);
        put_part(&w);
        break;
    case EIQ_METHOD_INFER:
        if (draw(2)) {
            put_whole(&w);
        } else {
            put_key(&w);
            put_data(&w, input, draw(8) ? 0 : draw(400));
            input[draw(4000)] ^= !draw(8);
        }
        break;
    case EIQ_METHOD_READ_OUTPUT:
        put_key(&w);
        eiq_put_uint32(&w, some(1500));
        eiq_put_uint32(&w, some(600));
        break;
    case EIQ_METHOD_START_SENSOR:
        eiq_put_uint32(&w, session());
        eiq_put_uint32(&w, some(3));
        eiq_put_bool(&w, (uint8_t)draw(2));
        break;
    case EIQ_METHOD_READ_SENSOR:
        eiq_put_uint32(&w, session());
        eiq_put_uint32(&w, some(3));
        eiq_put_uint32(&w, some(4));
        eiq_put_uint32(&w, some(4));
        break;
    case EIQ_METHOD_START_STREAM:
        eiq_put_uint32(&w, session());
        eiq_put_uint32(&w, draw(8) ? 1 : some(3));
        eiq_put_uint32(&w, draw(8) ? 3 : some(MODELS + 1));
        eiq_put_uint32(&w, draw(8) ? 1 + draw(100) : some(100));
        eiq_put_bool(&w, (uint8_t)draw(2));
        eiq_put_bool(&w, (uint8_t)draw(2));
        break;
    case EIQ_METHOD_READ_STREAM:
        eiq_put_uint32(&w, session());
        eiq_put_uint32(&w, some(40));
        eiq_put_uint32(&w, draw(2) ? 0 : some(700));
        break;
    case EIQ_METHOD_SET_LED:
        eiq_put_uint32(&w, some(4));
        eiq_put_bool(&w, (uint8_t)draw(2));
        break;
    case EIQ_METHOD_MEMORY:
    case EIQ_METHOD_TIME:
        break;
    default: /* describe a model or sensor; reset */
        eiq_put_uint32(&w, method == EIQ_METHOD_RESET ? (draw(64) ? 0 : SESSION) : some(4));
    }
    return message(frame, method, method == EIQ_METHOD_WRITE_INPUT, sequence, &w);
}

/* Change a frame as a wire, or somebody who knows the format, would. Returns its size. */
static size_t mutate(uint8_t *frame, size_t size)
{
    uint8_t *body = frame + EIQ_HEADER_BYTES;
    const uint32_t bytes = (uint32_t)size - EIQ_HEADER_BYTES;
    const uint32_t at = draw(bytes);
    switch (draw(10)) {
    case 0: /* flipped bits */
        for (uint32_t i = 0; i <= draw(6); i++) frame[draw((uint32_t)size)] ^= (uint8_t)(1u << draw(8));
        return size;
    case 1: /* lost bytes */
        memmove(frame + at, frame + at + 1, size - at - 1);
        return size - 1;
    case 2: /* cut off */
        return draw((uint32_t)size);
    case 3: /* a header that is right, and claims anything */
        frame[2] = (uint8_t)draw(256);
        frame[3] = (uint8_t)draw(draw(2) ? 3 : 256);
        number(out, eiq_crc16(EIQ_CRC16_START, frame + 2, 2) + (uint32_t)eiq_crc16(EIQ_CRC16_START, frame + 4, 2));
        memcpy(frame, out, 2);
        return size;
    case 4: /* noise in front */
        memmove(frame + 40, frame, size);
        for (uint32_t i = 0; i < 40; i++) frame[i] = (uint8_t)draw(256);
        return size + 40;
    case 5: /* the same twice */
        memcpy(frame + size, frame, size);
        return 2 * size;
    case 6: /* arguments cut off, CRCs right */
        return eiq_frame_finish(frame, draw(bytes + 1));
    case 7: /* arguments left over, CRCs right */
        return eiq_frame_finish(frame, bytes + draw(EIQ_MAX_FRAME + 8 - bytes));
    case 8: /* bytes changed, CRCs right: lengths, versions, services, types */
        for (uint32_t i = 0; i <= draw(4); i++) body[draw(bytes)] = (uint8_t)(draw(2) ? draw(256) : 0xFF * draw(2));
        return eiq_frame_finish(frame, bytes);
    default: /* as it was */
        return size;
    }
}

/* Parts of the input of the larger model, unharmed but for one now and then. */
static void parts(uint8_t *frame, uint32_t check, uint32_t bytes, uint32_t step)
{
    struct eiq_writer w;
    for (uint32_t offset = 0; offset < 4000; offset += step) {
        size_t size;
        open_message(frame, &w);
        eiq_put_uint32(&w, SESSION);
        eiq_put_uint32(&w, 1);
        eiq_put_uint32(&w, check);
        eiq_put_uint32(&w, offset);
        put_data(&w, input + offset, bytes);
        size = message(frame, EIQ_METHOD_WRITE_INPUT, 1, 0, &w);
        if (!draw(30)) size = mutate(frame, size);
        board_say(frame, size, out);
    }
}

static void whole_input(uint8_t *frame)
{
    const uint32_t check = eiq_crc32(EIQ_CRC32_START, input, 4000);
    struct eiq_writer w;
    if (!draw(4)) parts(frame, check, 5, 50); /* more gaps than are kept */
    parts(frame, check, 400, 400);
    open_message(frame, &w);
    eiq_put_uint32(&w, SESSION);
    eiq_put_uint32(&w, 1);
    eiq_put_uint32(&w, check);
    put_data(&w, input, 0);
    board_say(frame, message(frame, EIQ_METHOD_INFER, 0, 0, &w), out);
}

int main(int argc, char **argv)
{
    static uint8_t frame[ROOM];
    uint32_t count;
    size_t replies = 0;
    if (argc != 3) return 2;
    state = (uint32_t)strtoul(argv[1], NULL, 0) * 2654435761u | 1u;
    count = (uint32_t)strtoul(argv[2], NULL, 0);
    begin();
    for (uint32_t i = 0; i < count; i++) {
        size_t size = call(frame, i);
        size = mutate(frame, size);
        for (size_t from = 0; from < size;) { /* in pieces */
            const size_t piece = draw(4) ? size - from : 1 + draw((uint32_t)(size - from));
            replies += board_say(frame + from, piece, out) != 0;
            from += piece;
        }
        board_pass(draw(20));
        if (i % 16 == 15) must_live(i);
        if (i % 256 == 255) whole_input(frame);
    }
    must_live(0);
    printf("%u frames, %lu replies, %u inferences\n", (unsigned)count, (unsigned long)replies, (unsigned)board_runs());
    return 0;
}
#endif
