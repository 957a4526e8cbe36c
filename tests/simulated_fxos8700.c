/* An FXOS8700CQ and the I2C that leads to it, in the place of NXP's drivers: registers and FIFO as its data sheet has
   them. Each sample tells its number. */
#include "fsl_lpi2c.h"
#include <string.h>

enum { SIM_FINE, SIM_NAK, SIM_HANG, SIM_BREAK, SIM_BUSY };

static uint8_t registers[128], fifo[32][6];
static uint32_t held, overflow, samples, address = 0x1E;
static uint64_t now;
static int trouble;
static void (*pending)(LPI2C_Type *, lpi2c_master_handle_t *, status_t, void *);
static lpi2c_master_handle_t *handle_;
static lpi2c_master_transfer_t waiting;
static uint32_t byte_of_sample;

void sim_trouble(int kind) { trouble = kind; }
void sim_address(uint32_t value) { address = value; }
void sim_time(uint64_t ticks) { now += ticks; }
uint8_t sim_register(uint32_t at) { return registers[at]; }
uint64_t eiq_clock_ticks(void) { return now; }
uint32_t eiq_clock_hz(void) { return 600000000u; }

void sim_power(void)
{
    memset(registers, 0, sizeof registers);
    registers[0x0D] = 0xC7;
    held = overflow = samples = 0;
    now = 0;
    trouble = SIM_FINE;
    address = 0x1E;
    pending = NULL;
}

/* So many more sample periods. */
void sim_samples(uint32_t count)
{
    for (; count; count--, samples++) {
        if (!(registers[0x2A] & 1) || (registers[0x09] & 0xC0) != 0x40) continue;
        if (held == 32) {
            memmove(fifo, fifo[1], sizeof fifo - sizeof fifo[0]);
            held--;
            overflow = 1;
        }
        for (int axis = 0; axis < 3; axis++) {
            uint32_t word = ((samples * 3u + (uint32_t)axis) & 0x3FFFu) << 2;
            fifo[held][2 * axis] = (uint8_t)(word >> 8);
            fifo[held][2 * axis + 1] = (uint8_t)word;
        }
        held++;
    }
}

static uint8_t read_byte(uint32_t reg)
{
    if (reg == 0) {
        return (uint8_t)(overflow << 7 | held);
    }
    if (reg >= 1 && reg <= 6 && registers[0x09] & 0xC0) {
        uint8_t value = held ? fifo[0][byte_of_sample] : 0;
        if (++byte_of_sample == 6) {
            byte_of_sample = 0;
            if (held) memmove(fifo, fifo[1], sizeof fifo - sizeof fifo[0]);
            if (held) held--;
            overflow = 0;
        }
        return value;
    }
    return registers[reg];
}

static status_t perform(const lpi2c_master_transfer_t *order, size_t size)
{
    uint8_t *data = order->data;
    if (order->slaveAddress != address || trouble == SIM_NAK) return kStatus_Fail;
    byte_of_sample = 0;
    for (size_t i = 0; i < size; i++) {
        uint32_t reg = (uint32_t)(order->subaddress == 1 ? 1 + i % 6 : order->subaddress + i);
        if (order->direction == kLPI2C_Read) {
            data[i] = read_byte(reg);
        } else {
            if (reg != 0x2A && registers[0x2A] & 1) return kStatus_Fail; /* settings change in standby only */
            if (reg == 0x09 && !(data[i] & 0xC0)) held = overflow = 0;
            registers[reg] = data[i];
        }
    }
    return kStatus_Success;
}

status_t LPI2C_MasterTransferBlocking(LPI2C_Type *base, lpi2c_master_transfer_t *order)
{
    (void)base;
    return trouble == SIM_HANG ? kStatus_Fail : perform(order, order->dataSize);
}

status_t LPI2C_MasterTransferNonBlocking(LPI2C_Type *base, lpi2c_master_handle_t *handle, lpi2c_master_transfer_t *order)
{
    (void)base;
    if (trouble == SIM_BUSY || pending) return kStatus_Fail;
    handle_ = handle;
    pending = handle->callback;
    waiting = *order;
    return kStatus_Success;
}

void LPI2C_MasterTransferCreateHandle(LPI2C_Type *base, lpi2c_master_handle_t *handle,
                                      void (*callback)(LPI2C_Type *, lpi2c_master_handle_t *, status_t, void *), void *user)
{
    (void)base, (void)user;
    handle->callback = callback;
}

void LPI2C_MasterGetDefaultConfig(lpi2c_master_config_t *config) { config->baudRate_Hz = 100000; }

void LPI2C_MasterInit(LPI2C_Type *base, const lpi2c_master_config_t *config, uint32_t clock)
{
    (void)base, (void)config, (void)clock;
    pending = NULL;
}

/* The interrupt of a transfer that has come to its end; where the bus hangs it does not come. */
void sim_interrupt(void)
{
    void (*done)(LPI2C_Type *, lpi2c_master_handle_t *, status_t, void *) = pending;
    status_t status;
    if (!done) return;
    pending = NULL;
    if (trouble == SIM_FINE || waiting.subaddress == 0) {
        status = perform(&waiting, waiting.dataSize);
    } else { /* the first half is read, then the bus fails */
        (void)perform(&waiting, waiting.dataSize / 12 * 6);
        status = kStatus_Fail;
    }
    if (trouble == SIM_HANG) return;
    done(NULL, handle_, status, NULL);
}

status_t FXOS_ReadReg(fxos_handle_t *chip, uint8_t reg, uint8_t *value, uint8_t count)
{
    return chip->receive(chip->slaveAddress, reg, 1, value, count);
}

status_t FXOS_WriteReg(fxos_handle_t *chip, uint8_t reg, uint8_t value)
{
    return chip->send(chip->slaveAddress, reg, 1, value);
}

/* As NXP's: it asks the chip who it is, and leaves it active in hybrid mode without the FIFO. */
status_t FXOS_Init(fxos_handle_t *chip, fxos_config_t *config)
{
    uint8_t who = 0;
    *chip = (fxos_handle_t){config->slaveAddress, config->I2C_SendFunc, config->I2C_ReceiveFunc};
    if (FXOS_ReadReg(chip, 0x0D, &who, 1) != kStatus_Success || who != 0xC7) return kStatus_Fail;
    if (FXOS_WriteReg(chip, 0x2A, 0) != kStatus_Success || FXOS_WriteReg(chip, 0x5B, 0x5F) != kStatus_Success ||
        FXOS_WriteReg(chip, 0x0E, 1) != kStatus_Success || FXOS_WriteReg(chip, 0x2A, 0x09) != kStatus_Success)
        return kStatus_Fail;
    return kStatus_Success;
}
