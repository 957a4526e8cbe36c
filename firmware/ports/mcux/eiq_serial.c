#include "eiq_serial.h"
#include "board.h"
#include "eiq_interrupts.h"
#include "fsl_lpuart.h"

#define ERRORS (kLPUART_RxOverrunFlag | kLPUART_NoiseErrorFlag | kLPUART_FramingErrorFlag | kLPUART_ParityErrorFlag)

static volatile uint8_t ring[EIQ_SERIAL_KEPT];
static volatile uint32_t written, read_; /* the interrupt writes the first, the main loop the second */
static volatile uint32_t lost;

void eiq_serial_start(void)
{
    lpuart_config_t config;
    LPUART_GetDefaultConfig(&config); /* 8 bits, no parity, one stop bit; an interrupt for each byte */
    config.baudRate_Bps = EIQ_BAUD;
    config.enableTx = true;
    config.enableRx = true;
    /* 80 MHz give 115200 within 0.1 %, any EIQ_BAUD within 2.5 % */
    (void)LPUART_Init(LPUART1, &config, BOARD_DebugConsoleSrcFreq());
    LPUART_EnableInterrupts(LPUART1, (uint32_t)kLPUART_RxDataRegFullInterruptEnable |
                                         (uint32_t)kLPUART_RxOverrunInterruptEnable);
    NVIC_SetPriority(LPUART1_IRQn, EIQ_PRIORITY_SERIAL);
    (void)EnableIRQ(LPUART1_IRQn);
}

void LPUART1_IRQHandler(void)
{
    uint32_t flags = LPUART_GetStatusFlags(LPUART1);
    while (flags & (uint32_t)kLPUART_RxDataRegFullFlag) {
        uint8_t byte = LPUART_ReadByte(LPUART1);
        if (written - read_ < EIQ_SERIAL_KEPT) {
            ring[written % EIQ_SERIAL_KEPT] = byte;
            written++;
        } else {
            lost++;
        }
        flags = LPUART_GetStatusFlags(LPUART1) | (flags & (uint32_t)ERRORS);
    }
    if (flags & (uint32_t)ERRORS) { /* after an overrun nothing is received until its flag is cleared */
        if (flags & (uint32_t)kLPUART_RxOverrunFlag) lost++;
        (void)LPUART_ClearStatusFlags(LPUART1, (uint32_t)ERRORS);
    }
    SDK_ISR_EXIT_BARRIER;
}

size_t eiq_serial_read(uint8_t *data, size_t size)
{
    size_t count = 0;
    for (; count < size && read_ != written; count++, read_++) data[count] = ring[read_ % EIQ_SERIAL_KEPT];
    return count;
}

void eiq_serial_write(const uint8_t *data, size_t size)
{
    (void)LPUART_WriteBlocking(LPUART1, data, size);
}

uint32_t eiq_serial_lost(void)
{
    return lost;
}
