/* The product of two tensors with scales of their own, as TFLite's integer MUL. */
typedef struct {
    int32_t zero1, zero2, multiplier, shift, zero, low, high;
} eiq_mul_numbers;

/* Steps are 1, or 0 for one number that goes with all. */
static inline __attribute__((always_inline)) void eiq_mul_row(
    const eiq_mul_numbers *n, const int8_t *a, int32_t a_step, const int8_t *b, int32_t b_step, int8_t *out,
    int32_t size)
{
    for (; size > 0; size--, a += a_step, b += b_step) {
        int32_t x = eiq_multiplied((*a - n->zero1) * (*b - n->zero2), n->multiplier, n->shift);
        x += n->zero;
        *out++ = (int8_t)(x < n->low ? n->low : x > n->high ? n->high : x);
    }
}

static inline void eiq_mul(const eiq_mul_numbers *n, const int8_t *a, const int8_t *b, int8_t *out, int32_t size)
{
    eiq_mul_row(n, a, 1, b, 1, out, size);
}
