/* What eiq_accelerometer.c takes of NXP's SDK, for tests/simulated_fxos8700.c: names as there, register numbers and bits
   as in the chip's data sheet. */
#ifndef SIMULATED_MCUX_H
#define SIMULATED_MCUX_H
#include <stddef.h>
#include <stdint.h>

typedef int status_t;
typedef int LPI2C_Type;
typedef enum { kLPI2C_Write, kLPI2C_Read } lpi2c_direction_t;
typedef struct {
    uint32_t flags;
    uint16_t slaveAddress;
    lpi2c_direction_t direction;
    uint32_t subaddress;
    size_t subaddressSize;
    void *data;
    size_t dataSize;
} lpi2c_master_transfer_t;
typedef struct lpi2c_master_handle {
    void (*callback)(LPI2C_Type *, struct lpi2c_master_handle *, status_t, void *);
} lpi2c_master_handle_t;
typedef struct {
    uint32_t baudRate_Hz;
} lpi2c_master_config_t;
typedef status_t (*i2c_send)(uint8_t, uint32_t, uint8_t, uint32_t);
typedef status_t (*i2c_receive)(uint8_t, uint32_t, uint8_t, uint8_t *, uint8_t);
typedef struct {
    uint8_t slaveAddress;
    i2c_send send;
    i2c_receive receive;
} fxos_handle_t;
typedef struct {
    i2c_send I2C_SendFunc;
    i2c_receive I2C_ReceiveFunc;
    uint8_t slaveAddress;
} fxos_config_t;

enum { kStatus_Success, kStatus_Fail };
enum { kLPI2C_TransferDefaultFlag };
enum { kCLOCK_Lpi2cMux, kCLOCK_Lpi2cDiv, LPI2C1_IRQn };

#define BOARD_ACCEL_I2C_BASEADDR ((LPI2C_Type *)0)
#define BOARD_ACCEL_I2C_CLOCK_SOURCE_SELECT 0
#define BOARD_ACCEL_I2C_CLOCK_SOURCE_DIVIDER 5
#define BOARD_ACCEL_I2C_CLOCK_FREQ 10000000u
#define CLOCK_SetMux(mux, value) ((void)(mux))
#define CLOCK_SetDiv(divider, value) ((void)(divider))
#define NVIC_SetPriority(irq, priority) ((void)(irq))
#define DisableGlobalIRQ() 0u
#define EnableGlobalIRQ(state) ((void)(state))

#define F_STATUS_REG 0x00
#define OUT_X_MSB_REG 0x01
#define F_SETUP_REG 0x09
#define XYZ_DATA_CFG_REG 0x0E
#define CTRL_REG1 0x2A
#define CTRL_REG2 0x2B
#define M_CTRL_REG1 0x5B
#define F_OVF_MASK 0x80
#define F_CNT_MASK 0x3F
#define F_MODE_DISABLED 0x00
#define F_MODE_CIRCULAR 0x40
#define FULL_SCALE_2G 0
#define FULL_SCALE_4G 1
#define FULL_SCALE_8G 2
#define DATA_RATE_400HZ 0x08
#define DATA_RATE_200HZ 0x10
#define DATA_RATE_100HZ 0x18
#define ACTIVE_MASK 1
#define STANDBY 0
#define MOD_HIGH_RES 2
#define M_OSR_MASK 0x1C
#define ACCEL_ACTIVE 0

status_t LPI2C_MasterTransferBlocking(LPI2C_Type *, lpi2c_master_transfer_t *);
status_t LPI2C_MasterTransferNonBlocking(LPI2C_Type *, lpi2c_master_handle_t *, lpi2c_master_transfer_t *);
void LPI2C_MasterTransferCreateHandle(LPI2C_Type *, lpi2c_master_handle_t *,
                                      void (*)(LPI2C_Type *, lpi2c_master_handle_t *, status_t, void *), void *);
void LPI2C_MasterGetDefaultConfig(lpi2c_master_config_t *);
void LPI2C_MasterInit(LPI2C_Type *, const lpi2c_master_config_t *, uint32_t);
status_t FXOS_ReadReg(fxos_handle_t *, uint8_t, uint8_t *, uint8_t);
status_t FXOS_WriteReg(fxos_handle_t *, uint8_t, uint8_t);
status_t FXOS_Init(fxos_handle_t *, fxos_config_t *);
#endif
