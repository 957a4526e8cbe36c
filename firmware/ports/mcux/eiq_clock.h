/* The core's own cycle counter, as 64 bits, and a regular interrupt. */
#ifndef EIQ_CLOCK_H
#define EIQ_CLOCK_H
#include <stdint.h>

#define EIQ_POLL_HZ 100u

void eiq_clock_start(void (*poll)(void)); /* poll: called EIQ_POLL_HZ times a second, in an interrupt */
uint64_t eiq_clock_ticks(void);
uint32_t eiq_clock_hz(void);
#endif
