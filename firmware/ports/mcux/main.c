/* The firmware on NXP's i.MX RT EVKs. */
#include "board.h"
#include "clock_config.h"
#include "eiq_accelerometer.h"
#include "eiq_clock.h"
#include "eiq_interrupts.h"
#include "eiq_pins.h"
#include "eiq_serial.h"
#include "eiq_server.h"
#include <string.h>

#define PAINT 0xA5A5A5A5u

extern uint32_t eiq_stack_low[], eiq_stack_top[]; /* from the linker script */
extern uint8_t eiq_models_low[], eiq_models_end[];

static struct eiq_server eiq_context;

int main(void);

static uint64_t ticks(void *user)
{
    (void)user;
    return eiq_clock_ticks();
}

static size_t receive(void *user, uint8_t *data, size_t size)
{
    (void)user;
    return eiq_serial_read(data, size);
}

static void transmit(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    eiq_serial_write(data, size);
}

static void led(void *user, uint32_t index, int on)
{
    (void)user, (void)index;
    eiq_led(on);
}

static void restart(void *user)
{
    (void)user;
    NVIC_SystemReset();
}

static uint32_t overruns(void *user)
{
    (void)user;
    return eiq_serial_lost();
}

static void stack(void *user, uint32_t *bytes, uint32_t *used)
{
    (void)user;
    const uint32_t *word = eiq_stack_low;
    while (word < eiq_stack_top && *word == PAINT) word++;
    *bytes = (uint32_t)(eiq_stack_top - eiq_stack_low) * 4u;
    *used = (uint32_t)(eiq_stack_top - word) * 4u;
}

/* volatile: the compiler would make it a memset, whose own stack lies where it paints. */
__attribute__((noinline)) static void paint(void)
{
    volatile uint32_t *word = eiq_stack_low, *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    while (word < here) *word++ = PAINT;
}

/* A fault resets the board: the host is told so by its session, which is gone. It must not need a stack: that may be
   what is wrong. */
__attribute__((naked)) void HardFault_Handler(void)
{
    __asm__ volatile("ldr r0, =0xE000ED0C\n ldr r1, =0x05FA0004\n str r1, [r0]\n dsb\n 0: b 0b\n");
}

void MemManage_Handler(void) __attribute__((alias("HardFault_Handler")));
void BusFault_Handler(void) __attribute__((alias("HardFault_Handler")));
void UsageFault_Handler(void) __attribute__((alias("HardFault_Handler")));
void DefaultISR(void) __attribute__((alias("HardFault_Handler")));

int main(void)
{
    paint();
    memset(eiq_models_low, 0, (size_t)(eiq_models_end - eiq_models_low));
    BOARD_ConfigMPU(); /* and both caches on */
    BOARD_InitBootClocks();
    eiq_pins();
    eiq_clock_start(eiq_accelerometer_poll);
    eiq_serial_start();
    const struct eiq_port port = {
        .board = EIQ_BOARD,
        .clock = "core cycles",
        .build = EIQ_BUILD,
        .tick_hz = eiq_clock_hz(),
        .rx_buffer = EIQ_SERIAL_KEPT,
        .leds = 1,
        .sensor_count = eiq_accelerometer_find() ? 1 : 0,
        .sensors = &eiq_accelerometer,
        .ticks = ticks,
        .read = receive,
        .write = transmit,
        .led = led,
        .reset = restart,
        .stack = stack,
        .overruns = overruns,
    };
    eiq_server_init(&eiq_context, &port);
    for (;;) (void)eiq_server_poll(&eiq_context);
}
