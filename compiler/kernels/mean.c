/* The mean over two of five axes, rescaled: of [kept, over, kept, over, kept]. */
static void eiq_mean(
    const int8_t *in, int8_t *out, int32_t k0, int32_t r0, int32_t k1, int32_t r1, int32_t k2, int32_t bias,
    int32_t multiplier, int32_t shift, int32_t zero)
{
    int32_t a, b, c, p, q;
    for (a = 0; a < k0; a++)
        for (b = 0; b < k1; b++)
            for (c = 0; c < k2; c++) {
                int32_t x = bias;
                for (p = 0; p < r0; p++) {
                    const int8_t *from = in + (((a * r0 + p) * k1 + b) * r1) * k2 + c;
                    for (q = r1; q > 0; q--, from += k2) x += *from;
                }
                x = eiq_multiplied(x, multiplier, shift) + zero;
                *out++ = (int8_t)(x < -128 ? -128 : x > 127 ? 127 : x);
            }
}
