/* The mean over two of five axes of float32: of [kept, over, kept, over, kept]. */
static void eiq_float_mean(
    const float *in, float *out, int32_t k0, int32_t r0, int32_t k1, int32_t r1, int32_t k2)
{
    int32_t a, b, c, p, q;
    for (a = 0; a < k0; a++)
        for (b = 0; b < k1; b++)
            for (c = 0; c < k2; c++) {
                float sum = 0.0f;
                for (p = 0; p < r0; p++) {
                    const float *from = in + (((a * r0 + p) * k1 + b) * r1) * k2 + c;
                    for (q = r1; q > 0; q--, from += k2) sum += *from;
                }
                *out++ = sum / (float)(r0 * r1);
            }
}
