/* The product of two tensors with scales of their own, as TFLite's integer MUL. */
typedef struct {
    int32_t zero1, zero2, multiplier, shift, zero, low, high;
} eiq_mul_numbers;

static void eiq_mul(const eiq_mul_numbers *n, const int8_t *a, const int8_t *b, int8_t *out, int32_t size)
{
    int32_t left = n->shift < 0 ? -n->shift : 0, right = n->shift > 0 ? n->shift : 0, half = (1 << right) >> 1;
    int32_t sign = right ? -1 : 0;
    for (; size > 0; size--) {
        int32_t x = (*a++ - n->zero1) * (*b++ - n->zero2) * (1 << left);
        x = (int32_t)(((int64_t)x * n->multiplier + 0x40000000) >> 31);
        x = ((x + ((x >> 31) & sign) + half) >> right) + n->zero;
        *out++ = (int8_t)(x < n->low ? n->low : x > n->high ? n->high : x);
    }
}
