/* The firmware on QEMU's mps2-an500. The host speaks first: what a board sends before anybody is connected is lost. */
#include "eiq_model.h"
#include "eiq_port.h"
#include "eiq_recording.h"
#include "eiq_server.h"
#include "models.h"
#include "start.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CLOCK_HZ 25000000u

/* CMSDK timer 0, counting down */
#define TIMER_CONTROL REGISTER(0x40000000u)
#define TIMER_VALUE REGISTER(0x40000004u)
#define TIMER_RELOAD REGISTER(0x40000008u)

/* CMSDK UART 0 */
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u)
#define UART_CONTROL REGISTER(0x40004008u)
#define UART_CLEAR REGISTER(0x4000400Cu)
#define UART_DIVIDER REGISTER(0x40004010u)
#define TX_FULL 1u
#define RX_FULL 2u
#define RX_LOST 8u
#define RX_INTERRUPT 2u

#define LEDS REGISTER(0x40028000u) /* FPGAIO */
#define LED_COUNT 2u

#define SYSTICK_CONTROL REGISTER(0xE000E010u)
#define SYSTICK_RELOAD REGISTER(0xE000E014u)
#define SYSTICK_VALUE REGISTER(0xE000E018u)
#define NVIC_ENABLE REGISTER(0xE000E100u)
#define NVIC_DISABLE REGISTER(0xE000E180u)
#define UART_IRQ 1u /* as a bit: number 0 */

#define RECORDINGS ((const uint8_t *)0x60000000u)
#define RECORDINGS_BYTES (16u << 20)

/* While a model computes, the next input may come whole: in frames, which are an eighth more than its bytes at most. */
#define RING (EIQ_INPUT_BYTES + EIQ_INPUT_BYTES / 8u + EIQ_MAX_FRAME)

static volatile uint8_t ring[RING];
static volatile uint32_t ring_in, ring_out; /* places in the ring; equal: empty */
static volatile uint32_t lost;

static uint32_t after(uint32_t place)
{
    return place + 1u == RING ? 0u : place + 1u;
}

/* A full ring leaves the byte and the interrupt in the UART, and QEMU keeps the rest: nothing is lost. */
void eiq_uart_received(void)
{
    const uint32_t next = after(ring_in);
    if (next == ring_out) {
        NVIC_DISABLE = UART_IRQ;
        return;
    }
    if (UART_STATE & RX_LOST) {
        UART_STATE = RX_LOST;
        lost++;
    }
    UART_CLEAR = RX_INTERRUPT; /* before the byte is taken: the next one may follow at once */
    if (UART_STATE & RX_FULL) {
        ring[ring_in] = (uint8_t)UART_DATA;
        ring_in = next;
    }
}

void eiq_systick(void)
{
    /* It has woken the core. */
}

static size_t uart_read(void *user, uint8_t *data, size_t size)
{
    size_t count = 0;
    (void)user;
    while (count < size && ring_out != ring_in) {
        data[count++] = ring[ring_out];
        ring_out = after(ring_out);
    }
    if (count) NVIC_ENABLE = UART_IRQ;
    return count;
}

static void uart_write(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    for (; size; size--) {
        while (UART_STATE & TX_FULL) continue;
        UART_DATA = *data++;
    }
}

static void led(void *user, uint32_t index, int on)
{
    (void)user;
    if (on)
        LEDS |= 1u << index;
    else
        LEDS &= ~(1u << index);
}

static void restart(void *user)
{
    (void)user;
    eiq_restart();
}

static void stack(void *user, uint32_t *bytes, uint32_t *used)
{
    (void)user;
    eiq_stack(bytes, used);
}

static uint32_t overruns(void *user)
{
    (void)user;
    return lost;
}

/* 64 bits out of the timer's 32: somebody asks at least once in its 171 s, because idle() does. */
static uint64_t ticks(void *user)
{
    static uint32_t low, high;
    const uint32_t now = 0xFFFFFFFFu - TIMER_VALUE;
    (void)user;
    if (now < low) high++;
    low = now;
    return (uint64_t)high << 32 | now;
}

/* Sleep until a byte comes, for so many milliseconds at most. */
static void idle(uint32_t ms)
{
    (void)ticks(0);
    SYSTICK_RELOAD = CLOCK_HZ / 1000u * ms - 1u;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7u; /* core clock, interrupt, on */
    __asm__ volatile("cpsid i" ::: "memory");
    if (ring_in == ring_out) __asm__ volatile("wfi" ::: "memory"); /* wakes although interrupts are masked */
    __asm__ volatile("cpsie i" ::: "memory");
    SYSTICK_CONTROL = 0;
}

static struct eiq_server eiq_context;
static struct eiq_recordings recordings;

static void begin(void)
{
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1u;
    UART_DIVIDER = CLOCK_HZ / 115200u;
    UART_CONTROL = 1u | 2u | 8u; /* both directions, an interrupt for each byte that comes */
    NVIC_ENABLE = UART_IRQ;
}

int main(void)
{
    static struct eiq_port port = {
        .board = EIQ_BOARD,
        .clock = "guest time",
        .build = EIQ_BUILD,
        .tick_hz = CLOCK_HZ,
        .rx_buffer = RING - 1u,
        .leds = LED_COUNT,
        .ticks = ticks,
        .read = uart_read,
        .write = uart_write,
        .led = led,
        .reset = restart,
        .stack = stack,
        .overruns = overruns,
    };
    begin();
    eiq_recordings_open(&recordings, &port, RECORDINGS, RECORDINGS_BYTES);
    eiq_server_init(&eiq_context, &port);
    for (;;) {
        if (!eiq_server_poll(&eiq_context)) idle(eiq_server_sleeps(&eiq_context) ? 500u : 1u);
    }
}
