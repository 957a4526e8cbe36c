/* The pins of the EVKs, as in NXP's demo_apps/bubble: the debug UART, the green LED, the accelerometer's bus. */
#include "eiq_pins.h"
#include "board.h"
#include "fsl_gpio.h"
#include "fsl_iomuxc.h"

#ifdef IOMUXC_GPIO_AD_B0_12_LPUART1_TXD /* the RT1052's name for it */
#define UART_TX IOMUXC_GPIO_AD_B0_12_LPUART1_TXD
#define UART_RX IOMUXC_GPIO_AD_B0_13_LPUART1_RXD
#else
#define UART_TX IOMUXC_GPIO_AD_B0_12_LPUART1_TX
#define UART_RX IOMUXC_GPIO_AD_B0_13_LPUART1_RX
#endif
#define PAD 0x10B0u          /* keeper, 100 MHz, R0/6 */
#define OPEN_DRAIN 0xF8B0u   /* the same with a pull-up of 22 kOhm */

void eiq_pins(void)
{
    static const gpio_pin_config_t led = {kGPIO_DigitalOutput, LOGIC_LED_OFF, kGPIO_NoIntmode};
    CLOCK_EnableClock(kCLOCK_Iomuxc);
    IOMUXC_SetPinMux(UART_TX, 0u);
    IOMUXC_SetPinMux(UART_RX, 0u);
    IOMUXC_SetPinMux(IOMUXC_GPIO_AD_B0_09_GPIO1_IO09, 0u);
    IOMUXC_SetPinMux(IOMUXC_GPIO_AD_B1_00_LPI2C1_SCL, 1u); /* 1: its own level can be read back, as I2C needs */
    IOMUXC_SetPinMux(IOMUXC_GPIO_AD_B1_01_LPI2C1_SDA, 1u);
    IOMUXC_SetPinConfig(UART_TX, PAD);
    IOMUXC_SetPinConfig(UART_RX, PAD);
    IOMUXC_SetPinConfig(IOMUXC_GPIO_AD_B0_09_GPIO1_IO09, PAD);
    IOMUXC_SetPinConfig(IOMUXC_GPIO_AD_B1_00_LPI2C1_SCL, OPEN_DRAIN);
    IOMUXC_SetPinConfig(IOMUXC_GPIO_AD_B1_01_LPI2C1_SDA, OPEN_DRAIN);
#ifdef IOMUXC_GPR_GPR26_GPIO_MUX1_GPIO_SEL_MASK
    IOMUXC_GPR->GPR26 &= ~IOMUXC_GPR_GPR26_GPIO_MUX1_GPIO_SEL_MASK; /* GPIO1, not its fast twin GPIO6 */
#endif
    GPIO_PinInit(BOARD_USER_LED_GPIO, BOARD_USER_LED_GPIO_PIN, &led);
}

void eiq_led(int on)
{
    GPIO_PinWrite(BOARD_USER_LED_GPIO, BOARD_USER_LED_GPIO_PIN, (uint8_t)(on ? LOGIC_LED_ON : LOGIC_LED_OFF));
}
