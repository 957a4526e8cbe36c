/* Two int16 in a word, as the DSP instructions of Cortex-M have them; the same in C where there are none. */
#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#define eiq_sxtb16(w) ((uint32_t)__sxtb16((int8x4_t)(w)))
#define eiq_smlad(a, b, sum) __smlad((int16x2_t)(a), (int16x2_t)(b), (sum))
static inline int32_t eiq_ssat8(int32_t x)
{
    int32_t held;
    __asm__("ssat %0, #8, %1" : "=r"(held) : "r"(x));
    return held;
}
static inline uint32_t eiq_sxtb16_8(uint32_t w)
{
    uint32_t odd;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(w));
    return odd;
}
static inline int32_t eiq_smmulr(int32_t a, int32_t b)
{
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
    return high;
}
#else
static inline uint32_t eiq_pack(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}
static inline int32_t eiq_low(uint32_t w) { return (int16_t)(uint16_t)(w & 0xFFFFu); }
static inline int32_t eiq_high(uint32_t w) { return (int16_t)(uint16_t)(w >> 16); }
static inline uint32_t eiq_sxtb16(uint32_t w)
{
    return eiq_pack((int8_t)(uint8_t)(w & 0xFFu), (int8_t)(uint8_t)((w >> 16) & 0xFFu));
}
static inline uint32_t eiq_sxtb16_8(uint32_t w) { return eiq_sxtb16(w >> 8); }
static inline int32_t eiq_smlad(uint32_t a, uint32_t b, int32_t sum)
{
    uint32_t both = (uint32_t)(eiq_low(a) * eiq_low(b)) + (uint32_t)(eiq_high(a) * eiq_high(b));
    return (int32_t)((uint32_t)sum + both);
}
static inline int32_t eiq_ssat8(int32_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }
static inline int32_t eiq_smmulr(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b + 0x80000000LL) >> 32); }
#endif
