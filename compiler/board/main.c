/* Runs a compiled model once on QEMU's mps2-an500 and tells what it took, by semihosting.

   MODEL, MODEL_HEADER, CONSTANTS, MUTABLE and ACTIVATIONS come from the command line. Under ``-icount shift=6`` the timer
   counts 25 MHz of a time in which each instruction takes 64 ns: 40 / 64 of an instruction a tick. */
#include <stdint.h>
#include <string.h>
#include MODEL_HEADER

#define TIMER ((volatile uint32_t *)0x40000000u)
#define STACK_TOP 0x20400000u
#define STACK_LOOK 8192u
#define PAINT 0xA5u

extern uint32_t data_start, data_end, data_load, bss_start, bss_end;
void reset(void);
__attribute__((section(".vectors"), used)) void (*const vectors[])(void) = {(void (*)(void))STACK_TOP, reset};

static uint8_t mutable_memory[MUTABLE] __attribute__((aligned(64)));
static uint8_t activations[ACTIVATIONS] __attribute__((aligned(64)));

#ifdef EIQ_MARK
static uint32_t marks[512], marked;
void eiq_mark(void)
{
    if (marked < 512) marks[marked++] = TIMER[1];
}
#endif

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void tell(const char *name, uint32_t number)
{
    char digits[12];
    int i = 11;
    digits[i] = 0;
    digits[--i] = '\n';
    do digits[--i] = (char)('0' + number % 10u);
    while (number /= 10u);
    semihosting(4, name);
    semihosting(4, digits + i);
}

static uint32_t instructions(uint32_t ticks) { return (uint32_t)((uint64_t)ticks * 40u / 64u); }

__attribute__((noinline)) static uint32_t run(void)
{
    uint32_t start = TIMER[1];
    MODEL((uint8_t *)(uintptr_t)CONSTANTS, mutable_memory, activations);
    return start - TIMER[1];
}

void reset(void)
{
    uint8_t *here, *p;
    uint32_t i, ticks, sum = 0;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    memcpy(&data_start, &data_load, (size_t)((uint8_t *)&data_end - (uint8_t *)&data_start));
    memset(&bss_start, 0, (size_t)((uint8_t *)&bss_end - (uint8_t *)&bss_start));
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the floating-point unit */
    for (p = here - STACK_LOOK; p < here - 16; p++) *p = PAINT;
    for (i = 0; i < MUTABLE; i++) mutable_memory[i] = (uint8_t)(i * 37u + 11u);
    TIMER[2] = TIMER[1] = 0xFFFFFFFFu;
    TIMER[0] = 1;
    ticks = run();
    for (p = here - STACK_LOOK; *p == PAINT;) p++;
    tell("instructions ", instructions(ticks));
    tell("stack ", (uint32_t)(here - p));
#ifdef EIQ_MARK
    for (i = 0; i + 1 < marked; i++) tell("layer ", instructions(marks[i] - marks[i + 1]));
#endif
    for (i = 0; i < MUTABLE; i++) sum = sum * 31u + mutable_memory[i];
    tell("sum ", sum);
    semihosting(0x18, (const void *)0x20026u); /* the application is done */
    for (;;) {
    }
}
