#ifndef BOARD_H
#define BOARD_H
#include <stddef.h>
#include <stdint.h>

#define BOARD_OUT_BYTES 65536u

/* Power on; blob: recordings that its sensors play, NULL for none. */
void board_begin(const uint8_t *blob, size_t size);
/* Bytes to the board, until it has nothing more to do. Returns how many it sent, into out[BOARD_OUT_BYTES]. */
size_t board_say(const uint8_t *data, size_t size, uint8_t *out);
void board_pass(uint32_t milliseconds);
uint32_t board_runs(void);
uint32_t board_leds(void);
int board_sleeps(void);
#endif
