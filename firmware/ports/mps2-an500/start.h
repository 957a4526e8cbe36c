/* What start.c and main.c know of each other. */
#ifndef START_H
#define START_H
#include <stdint.h>

#define EIQ_PAINT 0xA5A5A5A5u

extern uint32_t eiq_stack_low[], eiq_stack_top[]; /* from the linker script */

void eiq_restart(void);
void eiq_stack(uint32_t *bytes, uint32_t *used);

void eiq_systick(void);
void eiq_uart_received(void);
#endif
