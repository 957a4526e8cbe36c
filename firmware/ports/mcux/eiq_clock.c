#include "eiq_clock.h"
#include "eiq_interrupts.h"
#include "fsl_common.h"

static void (*poll_)(void);
static uint32_t last, wraps;

/* The counter wraps every seven seconds at 600 MHz: the interrupt sees each wrap. It stands still while the core
   sleeps, which is why nothing here waits with WFI. */
uint64_t eiq_clock_ticks(void)
{
    uint32_t state = DisableGlobalIRQ();
    uint32_t now = DWT->CYCCNT;
    if (now < last) wraps++;
    last = now;
    uint64_t ticks = ((uint64_t)wraps << 32) | now;
    EnableGlobalIRQ(state);
    return ticks;
}

uint32_t eiq_clock_hz(void)
{
    return SystemCoreClock;
}

void eiq_clock_start(void (*poll)(void))
{
    poll_ = poll;
    CoreDebug->DEMCR |= CoreDebug_DEMCR_TRCENA_Msk;
    DWT->LAR = 0xC5ACCE55u; /* unlocks it where no debugger did */
    DWT->CYCCNT = 0;
    DWT->CTRL |= DWT_CTRL_CYCCNTENA_Msk;
    (void)SysTick_Config(SystemCoreClock / EIQ_POLL_HZ);
    NVIC_SetPriority(SysTick_IRQn, EIQ_PRIORITY_SENSOR);
}

void SysTick_Handler(void)
{
    (void)eiq_clock_ticks();
    poll_();
    SDK_ISR_EXIT_BARRIER;
}
