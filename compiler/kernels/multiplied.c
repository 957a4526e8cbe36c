/* x * multiplier / 2^31 / 2^shift, each half away from zero, as TFLite's MultiplyByQuantizedMultiplier; below zero the
   shift is to the left, and saturates. What is given leaves room for a zero point to be added. */
static inline int32_t eiq_multiplied(int32_t x, int32_t multiplier, int32_t shift)
{
    int64_t wide = (int64_t)x * ((int64_t)1 << (shift < 0 ? -shift : 0));
    wide = wide < -0x80000000LL ? -0x80000000LL : wide > 0x7FFFFFFF ? 0x7FFFFFFF : wide;
    wide = (wide * multiplier + 0x40000000) >> 31;
    if (shift > 0) wide = (wide + (wide >> 63) + (1LL << (shift - 1))) >> shift;
    return (int32_t)(wide < -0xFFFFFF ? -0xFFFFFF : wide > 0xFFFFFF ? 0xFFFFFF : wide);
}
