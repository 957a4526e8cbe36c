/* Features on QEMU's mps2-an500: the bits of every window that lies at 0x60000000, and what they cost, by semihosting.

   FEATURES (a struct eiq_window), BANDS, POINTS, COUNT, STRIDE (windows and samples between them) come from the command
   line. Under "-icount shift=6" a tick of the timer is 40 / 64 of an instruction, as compiler/board/main.c says. */
#include <string.h>
#include "eiq_mfcc.h"

#define TIMER ((volatile uint32_t *)0x40000000u)
#define SAMPLES ((const int16_t *)0x60000000u)
#define STACK_TOP 0x20400000u

extern const struct eiq_window FEATURES;
extern uint32_t data_start, data_end, data_load, bss_start, bss_end;
void reset(void);
__attribute__((section(".vectors"), used)) void (*const vectors[])(void) = {(void (*)(void))STACK_TOP, reset};

static float row[BANDS], scratch[POINTS + 2];

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static char *put(char *at, uint32_t number)
{
    int digit;
    for (digit = 28; digit >= 0; digit -= 4) *at++ = "0123456789abcdef"[number >> digit & 15u];
    *at++ = '\n';
    return at;
}

static void tell(void)
{
    static char text[9 * BANDS + 1];
    char *at = text;
    uint32_t i, bits;
    for (i = 0; i < BANDS; i++) {
        memcpy(&bits, row + i, sizeof bits);
        at = put(at, bits);
    }
    *at = 0;
    semihosting(4, text);
}

void reset(void)
{
    const struct eiq_mfcc *mfcc = FEATURES.mfcc;
    static char text[16] = "instructions ";
    char number[10] = {0};
    uint32_t window, frame, start, took = 0;
    memcpy(&data_start, &data_load, (size_t)((uint8_t *)&data_end - (uint8_t *)&data_start));
    memset(&bss_start, 0, (size_t)((uint8_t *)&bss_end - (uint8_t *)&bss_start));
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the floating-point unit */
    TIMER[2] = TIMER[1] = 0xFFFFFFFFu;
    TIMER[0] = 1;
    for (window = 0; window < COUNT; window++)
        for (frame = 0; frame < mfcc->frames; frame++) {
            start = TIMER[1];
            eiq_mfcc_frame(mfcc, SAMPLES + window * STRIDE + frame * mfcc->hop, row, scratch);
            start -= TIMER[1];
            if (start > took) took = start;
            tell();
        }
    semihosting(4, text);
    put(number, (uint32_t)((uint64_t)took * 40u / 64u));
    semihosting(4, number);
    semihosting(0x18, (const void *)0x20026u); /* the application is done */
    for (;;) {
    }
}
