/* Who interrupts whom: a byte waits 87 us in the UART at 115200 baud, a sample 80 ms in the accelerometer's FIFO. The
   interrupts of the sensor share a priority, so that none of them sees another one's work half done. */
#ifndef EIQ_INTERRUPTS_H
#define EIQ_INTERRUPTS_H

#define EIQ_PRIORITY_SERIAL 1u
#define EIQ_PRIORITY_SENSOR 3u

void LPUART1_IRQHandler(void); /* the names that NXP's vector table has */
void SysTick_Handler(void);
void HardFault_Handler(void);
void MemManage_Handler(void);
void BusFault_Handler(void);
void UsageFault_Handler(void);
void DefaultISR(void);
#endif
