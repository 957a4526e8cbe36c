#include "eiq_accelerometer.h"
#include "board.h"
#include "eiq_clock.h"
#include "eiq_interrupts.h"
#include "eiq_motion.h"
#include "eiq_rpc.h"
#include "fsl_fxos.h"
#include "fsl_lpi2c.h"

#if EIQ_MOTION_HZ == 100
#define RATE DATA_RATE_100HZ
#elif EIQ_MOTION_HZ == 200
#define RATE DATA_RATE_200HZ
#elif EIQ_MOTION_HZ == 400
#define RATE DATA_RATE_400HZ
#else
#error "EIQ_MOTION_HZ: expected 100, 200 or 400, rates that the chip has"
#endif
#if EIQ_MOTION_G == 2
#define RANGE FULL_SCALE_2G
#elif EIQ_MOTION_G == 4
#define RANGE FULL_SCALE_4G
#elif EIQ_MOTION_G == 8
#define RANGE FULL_SCALE_8G
#else
#error "EIQ_MOTION_G: expected 2, 4 or 8"
#endif
#define FIFO 32u
#define SAMPLE_BYTES 6u
#define BUS_HZ 400000u
#define PATIENCE 5 /* polls: a whole FIFO takes 5 ms of the bus */

static const uint8_t addresses[] = {0x1Cu, 0x1Du, 0x1Eu, 0x1Fu}; /* two pins of the chip choose one */

static fxos_handle_t chip;
static lpi2c_master_handle_t bus;
static struct eiq_motion motion;
static enum { OFF, IDLE, STATUS, DATA } phase; /* changed with the sensor's interrupts out of the way */
static uint8_t state, bytes[FIFO * SAMPLE_BYTES];
static uint64_t read_at, asked_at; /* when the FIFO was last emptied, and when it told how many there are */
static int waited;
static int overflowed, broken; /* since the FIFO was last emptied: it ran over; reading it failed midway */

static status_t transfer(lpi2c_direction_t direction, uint8_t address, uint32_t reg, uint8_t *data, size_t size)
{
    lpi2c_master_transfer_t order = {
        .flags = kLPI2C_TransferDefaultFlag, .slaveAddress = address, .direction = direction,
        .subaddress = reg, .subaddressSize = 1, .data = data, .dataSize = size,
    };
    return LPI2C_MasterTransferBlocking(BOARD_ACCEL_I2C_BASEADDR, &order);
}

static status_t send(uint8_t address, uint32_t reg, uint8_t reg_size, uint32_t value)
{
    uint8_t byte = (uint8_t)value;
    (void)reg_size;
    return transfer(kLPI2C_Write, address, reg, &byte, 1);
}

static status_t receive(uint8_t address, uint32_t reg, uint8_t reg_size, uint8_t *data, uint8_t size)
{
    (void)reg_size;
    return transfer(kLPI2C_Read, address, reg, data, size);
}

static int order(uint8_t reg, uint8_t *data, size_t size)
{
    lpi2c_master_transfer_t order = {
        .flags = kLPI2C_TransferDefaultFlag, .slaveAddress = chip.slaveAddress, .direction = kLPI2C_Read,
        .subaddress = reg, .subaddressSize = 1, .data = data, .dataSize = size,
    };
    return LPI2C_MasterTransferNonBlocking(BOARD_ACCEL_I2C_BASEADDR, &bus, &order) == kStatus_Success;
}

static void emptied(void)
{
    uint32_t count = state & F_CNT_MASK, lost = 0;
    if (overflowed || broken) lost = eiq_motion_lost(asked_at - read_at, eiq_clock_hz(), EIQ_MOTION_HZ, count);
    if (overflowed && lost == 0) lost = 1; /* it says that there was one at least */
    if (lost > 0) eiq_motion_lose(&motion, lost);
    eiq_motion_put(&motion, bytes, count);
    read_at = asked_at;
    overflowed = broken = 0;
}

/* What could not be read is tried again by the next poll. */
static void done(LPI2C_Type *base, lpi2c_master_handle_t *handle, status_t status, void *user)
{
    (void)base, (void)handle, (void)user;
    uint32_t count = state & F_CNT_MASK;
    if (phase == STATUS && status == kStatus_Success && count > 0 && count <= FIFO) {
        asked_at = eiq_clock_ticks();
        overflowed |= (state & F_OVF_MASK) != 0;
        phase = DATA;
        if (order(OUT_X_MSB_REG, bytes, count * SAMPLE_BYTES)) return;
    } else if (phase == DATA) {
        if (status == kStatus_Success)
            emptied();
        else
            broken = 1;
    }
    phase = phase == OFF ? OFF : IDLE;
}

static void begin_bus(void)
{
    lpi2c_master_config_t config;
    LPI2C_MasterGetDefaultConfig(&config);
    config.baudRate_Hz = BUS_HZ;
    LPI2C_MasterInit(BOARD_ACCEL_I2C_BASEADDR, &config, BOARD_ACCEL_I2C_CLOCK_FREQ);
    LPI2C_MasterTransferCreateHandle(BOARD_ACCEL_I2C_BASEADDR, &bus, done, NULL);
    NVIC_SetPriority(LPI2C1_IRQn, EIQ_PRIORITY_SENSOR);
}

void eiq_accelerometer_poll(void)
{
    if (phase == IDLE) {
        waited = 0;
        phase = STATUS;
        if (!order(F_STATUS_REG, &state, 1)) phase = IDLE;
    } else if (phase != OFF && ++waited > PATIENCE) { /* the bus hangs */
        broken |= phase == DATA;
        begin_bus();
        phase = IDLE;
    }
}

int eiq_accelerometer_find(void)
{
    CLOCK_SetMux(kCLOCK_Lpi2cMux, BOARD_ACCEL_I2C_CLOCK_SOURCE_SELECT);
    CLOCK_SetDiv(kCLOCK_Lpi2cDiv, BOARD_ACCEL_I2C_CLOCK_SOURCE_DIVIDER);
    begin_bus();
    for (size_t i = 0; i < sizeof addresses; i++) {
        fxos_config_t config = {.I2C_SendFunc = send, .I2C_ReceiveFunc = receive, .slaveAddress = addresses[i]};
        if (FXOS_Init(&chip, &config) == kStatus_Success) return 1; /* it asks the chip who it is */
    }
    return 0;
}

/* FXOS_Init leaves the chip with the magnetometer on, which halves its rates and forbids the FIFO. Settings change in
   standby only. */
static int set_up(void)
{
    static const uint8_t settings[][2] = {
        {CTRL_REG1, STANDBY},          {M_CTRL_REG1, M_OSR_MASK | ACCEL_ACTIVE},
        {F_SETUP_REG, F_MODE_DISABLED}, /* empties it */
        {F_SETUP_REG, F_MODE_CIRCULAR}, {XYZ_DATA_CFG_REG, RANGE},
        {CTRL_REG2, MOD_HIGH_RES},      {CTRL_REG1, RATE | ACTIVE_MASK},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (FXOS_WriteReg(&chip, settings[i][0], settings[i][1]) != kStatus_Success) return 0;
    return 1;
}

static int start(void *user, int fast)
{
    (void)user, (void)fast;
    uint32_t masked = DisableGlobalIRQ();
    phase = OFF;
    begin_bus(); /* ends what was under way */
    EnableGlobalIRQ(masked);
    if (!set_up()) return -1;
    eiq_motion_begin(&motion);
    read_at = eiq_clock_ticks();
    overflowed = broken = 0;
    phase = IDLE;
    return 0;
}

static uint32_t ready(void *user)
{
    (void)user;
    return *(volatile uint32_t *)&motion.ready;
}

/* Without interrupts for as long as a frame's samples are copied: microseconds. */
static uint32_t get(void *user, uint32_t *at, uint32_t count, void *out)
{
    (void)user;
    uint32_t masked = DisableGlobalIRQ();
    uint32_t found = eiq_motion_get(&motion, at, count, out);
    EnableGlobalIRQ(masked);
    return found;
}

const struct eiq_sensor eiq_accelerometer = {
    .kind = EIQ_SENSOR_MOTION,
    .dtype = EIQ_DTYPE_INT16,
    .channels = EIQ_AXES,
    .rate_hz = EIQ_MOTION_HZ,
    .scale = EIQ_MOTION_G / 8192.0f,
    .names = "ax_g ay_g az_g",
    .start = start,
    .ready = ready,
    .read = get,
};
