/* The firmware's core on a board that is nothing but memory: bytes in, bytes out, a clock that the test moves. */
#include "board.h"
#include <string.h>
#include "eiq_model.h"
#include "eiq_recording.h"
#include "eiq_server.h"

#define RATE 1000u
#define OUT_BYTES 65536u

uint8_t eiq_mutable_memory[EIQ_MUTABLE_BYTES], eiq_activations[EIQ_ACTIVATION_BYTES];
static const uint8_t constants[4] = {3, 5, 7, 11};
static uint32_t runs;

static struct {
    const uint8_t *in;
    size_t in_size, out_size;
    uint64_t now;
    uint32_t led;
    uint8_t out[OUT_BYTES];
} line;

/* Two inputs and two outputs, each at a place in the memory that is not its place in the blob. */
static int mix(uint8_t *constant, uint8_t *memory, uint8_t *activations)
{
    (void)activations;
    for (uint32_t i = 0; i < 4; i++) memory[40 + i] = (uint8_t)(memory[100 + i] + constant[i]); /* first output */
    for (uint32_t i = 0; i < 6; i++) memory[50 + i] = (uint8_t)(memory[20 + i] ^ 0x5A);         /* second */
    memset(memory + 100, 0xEE, 4);
    line.now += 123;
    runs++;
    return 0;
}

static int turn(uint8_t *constant, uint8_t *memory, uint8_t *activations)
{
    (void)constant, (void)activations;
    for (uint32_t i = 0; i < 1500; i++) memory[4000 + i] = memory[3999 - i];
    line.now += 4567;
    runs++;
    return 0;
}

static int fail(uint8_t *constant, uint8_t *memory, uint8_t *activations)
{
    (void)constant, (void)memory, (void)activations;
    runs++;
    return 1;
}

static int repeat(uint8_t *constant, uint8_t *memory, uint8_t *activations)
{
    (void)constant, (void)activations;
    for (uint32_t i = 0; i < 600; i++) memory[100 + i] = memory[8 + i % 14];
    line.now += 7;
    runs++;
    return 0;
}

extern const struct eiq_window sound_features; /* by memory_board.py */

static const struct eiq_tensor mixed[] = {
    {"a", EIQ_DTYPE_INT8, 2, {1, 6}, 0.5f, -3, 6, 0, 20},
    {"b", EIQ_DTYPE_UINT8, 1, {4}, 0.25f, 128, 4, 6, 100},
    {"y", EIQ_DTYPE_INT8, 1, {4}, 0.0f, 0, 4, 6, 40},
    {"z", EIQ_DTYPE_INT8, 2, {2, 3}, 0.0f, 0, 6, 0, 50},
};
static const struct eiq_tensor turned[] = {
    {"x", EIQ_DTYPE_INT8, 1, {4000}, 0.0f, 0, 4000, 0, 0},
    {"y", EIQ_DTYPE_INT8, 1, {1500}, 0.0f, 0, 1500, 0, 4000},
};
#define FIFTY "12345678901234567890123456789012345678901234567890"
static const struct eiq_tensor repeated[] = {
    {"features", EIQ_DTYPE_INT8, 2, {7, 2}, 0.5f, 3, 14, 0, 8},
    {FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY, EIQ_DTYPE_INT8, 1, {600}, 0.0f, 0, 600, 0, 100},
};
const struct eiq_model eiq_models[] = {
    {"mix", {1, 2, 3}, {0}, mix, constants, 4, 200, 0, 10, 10, 2, 2, mixed, NULL},
    {"turn", {4, 5, 6}, {9, 9}, turn, constants, 4, 5500, 0, 4000, 1500, 1, 1, turned, NULL},
    {"fail", {7}, {0}, fail, constants, 4, 5500, 0, 4000, 1500, 1, 1, turned, NULL},
    {"repeat", {8}, {1}, repeat, constants, 4, 700, 0, 14, 600, 1, 1, repeated, &sound_features},
};
const uint32_t eiq_model_count = 4;

static uint64_t ticks(void *user)
{
    (void)user;
    return line.now;
}

static size_t receive(void *user, uint8_t *data, size_t size)
{
    (void)user;
    if (size > line.in_size) size = line.in_size;
    if (!size) return 0;
    memcpy(data, line.in, size);
    line.in += size;
    line.in_size -= size;
    return size;
}

static void transmit(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    if (size > OUT_BYTES - line.out_size) line.out_size = 0; /* nobody reads so much */
    memcpy(line.out + line.out_size, data, size);
    line.out_size += size;
}

static void led(void *user, uint32_t index, int on)
{
    (void)user;
    line.led = on ? line.led | 1u << index : line.led & ~(1u << index);
}

static void reset(void *user)
{
    (void)user;
    line.now = 0;
    line.led = 0;
}

static void stack(void *user, uint32_t *bytes, uint32_t *used)
{
    (void)user;
    *bytes = 4096;
    *used = 100;
}

static uint32_t overruns(void *user)
{
    (void)user;
    return 0;
}

static struct eiq_recordings recordings;
static struct eiq_port port = {NULL, "memory", "test ticks", "test", RATE, 1000, 3, 0, NULL, ticks,
                               receive, transmit, led, reset, stack, overruns};
static struct eiq_server server;

void board_begin(const uint8_t *blob, size_t size)
{
    memset(&line, 0, sizeof line);
    runs = 0;
    eiq_recordings_open(&recordings, &port, blob, size);
    eiq_server_init(&server, &port);
}

size_t board_say(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t said;
    line.in = data;
    line.in_size = size;
    while (eiq_server_poll(&server) || line.in_size) continue;
    said = line.out_size;
    if (said) memcpy(out, line.out, said);
    line.out_size = 0;
    return said;
}

void board_pass(uint32_t milliseconds)
{
    line.now += milliseconds;
}

uint32_t board_runs(void)
{
    return runs;
}

uint32_t board_leds(void)
{
    return line.led;
}

int board_sleeps(void)
{
    return eiq_server_sleeps(&server);
}
