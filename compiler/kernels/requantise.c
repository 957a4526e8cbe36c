/* From twice a sum of products to the stored output, as TFLite's MultiplyByQuantizedMultiplier rounds.

   A channel's record: bias, multiplier (Q31), offset (rounding and zero point, scaled up by the shift), shift.
   EIQ_RELU   what is negative ends at the zero point, so that its rounding does not matter
   EIQ_SIGNED half is rounded away from zero, for shifts of one or more
   EIQ_ANY    any shift, also to the left (below zero), the offset is the zero point alone */
enum { EIQ_RELU, EIQ_SIGNED, EIQ_ANY };

static inline __attribute__((always_inline)) int8_t eiq_requantised(
    int32_t twice, const int32_t *q, int how, int32_t low, int32_t high)
{
    int32_t x, shift = q[3];
    if (how == EIQ_ANY) {
        x = eiq_multiplied(twice >> 1, q[1], shift) + q[2];
    } else {
        x = eiq_smmulr(twice, q[1]);
        if (how == EIQ_SIGNED) x += x >> 31;
        x = (x + q[2]) >> shift;
    }
    if (low == -128 && high == 127) return (int8_t)eiq_ssat8(x);
    return (int8_t)(x < low ? low : x > high ? high : x);
}
