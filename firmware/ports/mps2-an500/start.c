/* Start-up of a Cortex-M7 without a vendor's library: vectors, memory, floating point. A fault resets the board: the
   host is told so by its session, which is gone. */
#include "start.h"
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define PRIORITY_UART REGISTER(0xE000E400u)
#define PRIORITY_SYSTICK REGISTER(0xE000ED20u)
#define FAULTS REGISTER(0xE000ED24u)       /* SHCSR */
#define COPROCESSORS REGISTER(0xE000ED88u) /* CPACR */
#define MPU_CONTROL REGISTER(0xE000ED94u)
#define MPU_BASE REGISTER(0xE000ED9Cu)
#define MPU_SIZE REGISTER(0xE000EDA0u)
#define GUARD_BYTES 4096u

extern uint32_t eiq_data[], eiq_data_end[], eiq_data_source[], eiq_bss[], eiq_bss_end[];

int main(void);
void eiq_start(void);
static void fault(void);

typedef void (*vector)(void);

struct vectors {
    uint32_t *stack;
    vector exceptions[15];
    vector interrupts[16];
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    eiq_stack_top,
    {eiq_start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, eiq_systick},
    {eiq_uart_received, fault, fault, fault, fault, fault, fault, fault,
     fault, fault, fault, fault, fault, fault, fault, fault},
};

/* It must not need a stack: that may be what is wrong. */
__attribute__((naked)) static void fault(void)
{
    __asm__ volatile("ldr r0, =0xE000ED0C\n ldr r1, =0x05FA0004\n str r1, [r0]\n dsb\n 0: b 0b\n");
}

void eiq_restart(void)
{
    fault();
}

__attribute__((noinline)) static void paint(void)
{
    volatile uint32_t *word = eiq_stack_low, *here; /* volatile: memset would need the stack that is painted */
    __asm__ volatile("mov %0, sp" : "=r"(here));
    while (word < here) *word++ = EIQ_PAINT;
}

void eiq_stack(uint32_t *bytes, uint32_t *used)
{
    const uint32_t *word = eiq_stack_low;
    while (word < eiq_stack_top && *word == EIQ_PAINT) word++;
    *bytes = (uint32_t)(eiq_stack_top - eiq_stack_low) * 4u;
    *used = (uint32_t)(eiq_stack_top - word) * 4u;
}

/* Nobody may touch what lies below the stack: QEMU would lose what is written there, and say nothing. The fault of its
   own, above the interrupts and not a HardFault at once, leaves that for the fault's frame, which finds no place either. */
static void guard(void)
{
    MPU_BASE = ((uint32_t)eiq_stack_low - GUARD_BYTES) | 1u << 4;
    MPU_SIZE = 1u << 28 | 11u << 1 | 1u; /* no code, no access, 2^12 bytes, on */
    MPU_CONTROL = 1u | 4u;               /* on; elsewhere memory is as without it */
    PRIORITY_UART = 0x40u;
    PRIORITY_SYSTICK = 0x40u << 24;
    FAULTS |= 1u << 16;
}

void eiq_start(void)
{
    COPROCESSORS |= 0xFu << 20; /* the FPU, before any code that may use it */
    guard();
    __asm__ volatile("dsb\n isb" ::: "memory");
    paint();
    memcpy(eiq_data, eiq_data_source, (size_t)(eiq_data_end - eiq_data) * 4u);
    memset(eiq_bss, 0, (size_t)(eiq_bss_end - eiq_bss) * 4u);
    main();
    eiq_restart();
}
