/* The FXOS8700CQ on LPI2C1. Its FIFO is emptied by interrupts, so that samples arrive while a model computes. */
#ifndef EIQ_ACCELEROMETER_H
#define EIQ_ACCELEROMETER_H
#include "eiq_port.h"

#ifndef EIQ_MOTION_HZ
#define EIQ_MOTION_HZ 100
#endif
#ifndef EIQ_MOTION_G
#define EIQ_MOTION_G 4
#endif

int eiq_accelerometer_find(void); /* whether the board has one */
void eiq_accelerometer_poll(void); /* from the clock's interrupt */
extern const struct eiq_sensor eiq_accelerometer;
#endif
