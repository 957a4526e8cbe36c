#ifndef EIQ_PINS_H
#define EIQ_PINS_H

void eiq_pins(void);      /* the UART's, the LED's and the accelerometer's */
void eiq_led(int on);
#endif
