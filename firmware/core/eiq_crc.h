/* The two checksums on the wire. Both go on from an earlier value. */
#ifndef EIQ_CRC_H
#define EIQ_CRC_H
#include <stddef.h>
#include <stdint.h>

#define EIQ_CRC16_START 0xEF4Au
#define EIQ_CRC32_START 0u

/* eRPC's: polynomial 0x1021, not reflected; Python's binascii.crc_hqx. */
uint16_t eiq_crc16(uint16_t crc, const void *data, size_t size);

/* zlib's. */
uint32_t eiq_crc32(uint32_t crc, const void *data, size_t size);
/* Of a number's bytes, the lowest first. */
uint32_t eiq_crc32_uint32(uint32_t crc, uint32_t value);
uint32_t eiq_crc32_uint64(uint32_t crc, uint64_t value);
#endif
