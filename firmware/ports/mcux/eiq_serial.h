/* The debug UART, LPUART1: what arrives is kept by an interrupt until somebody asks. */
#ifndef EIQ_SERIAL_H
#define EIQ_SERIAL_H
#include <stddef.h>
#include <stdint.h>

#ifndef EIQ_BAUD
#define EIQ_BAUD 115200
#endif
#if EIQ_BAUD < 9600 || EIQ_BAUD > 2000000
#error "EIQ_BAUD: expected 9600 to 2000000"
#endif

#define EIQ_SERIAL_KEPT 8192u /* bytes; a power of two, so that indices may wrap */

void eiq_serial_start(void);
size_t eiq_serial_read(uint8_t *data, size_t size);
void eiq_serial_write(const uint8_t *data, size_t size); /* returns when the last bit is out */
uint32_t eiq_serial_lost(void);                          /* bytes: overruns of the UART, and of the ring */
#endif
