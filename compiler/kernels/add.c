/* The sum or the difference of two tensors with scales of their own, in 20 more bits, as TFLite's integer ADD and SUB. */
typedef struct {
    int32_t zero1, zero2, multiplier1, multiplier2, multiplier;
    int32_t shift1, shift2, shift, zero, low, high;
    int32_t sign; /* of the second: 1 or -1 */
} eiq_add_numbers;

/* Rounded as MultiplyByQuantizedMultiplierSmallerThanOneExp; ``half`` is 0 and ``sign`` is 0 where nothing is shifted. */
static inline int32_t eiq_scaled(int32_t twice, int32_t multiplier, int32_t sign, int32_t half, int32_t shift)
{
    int32_t x = eiq_smmulr(twice, multiplier);
    return (x + ((x >> 31) & sign) + half) >> shift;
}

static inline int32_t eiq_half(int32_t shift) { return (int32_t)((1u << shift) >> 1); }

/* Steps are 1, or 0 for one number that goes with all. */
static inline __attribute__((always_inline)) void eiq_add_row(
    const eiq_add_numbers *n, const int8_t *a, int32_t a_step, const int8_t *b, int32_t b_step, int8_t *out,
    int32_t size)
{
    const int32_t zero1 = n->zero1, zero2 = n->zero2, m1 = n->multiplier1, m2 = n->multiplier2, m = n->multiplier;
    const int32_t s1 = n->shift1, s2 = n->shift2, s = n->shift, zero = n->zero, low = n->low, high = n->high;
    const int32_t h1 = eiq_half(s1), h2 = eiq_half(s2), h = eiq_half(s), sign = n->sign;
    for (; size > 0; size--, a += a_step, b += b_step) {
        int32_t x = eiq_scaled((*a - zero1) * (1 << 21), m1, s1 > 0 ? -1 : 0, h1, s1);
        int32_t y = eiq_scaled((*b - zero2) * (1 << 21), m2, s2 > 0 ? -1 : 0, h2, s2);
        x = eiq_scaled((x + sign * y) * 2, m, s > 0 ? -1 : 0, h, s) + zero;
        *out++ = (int8_t)(x < low ? low : x > high ? high : x);
    }
}

static inline void eiq_add(const eiq_add_numbers *n, const int8_t *a, const int8_t *b, int8_t *out, int32_t size)
{
    eiq_add_row(n, a, 1, b, 1, out, size);
}
