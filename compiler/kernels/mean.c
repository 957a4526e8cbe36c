/* The mean of every channel over all pixels, rescaled. */
static void eiq_mean(
    const int8_t *in, int8_t *out, int32_t pixels, int32_t channels, int32_t bias, int32_t multiplier, int32_t shift,
    int32_t zero)
{
    int32_t c, p;
    for (c = 0; c < channels; c++) {
        int64_t x = 0;
        int32_t sum = bias;
        for (p = 0; p < pixels; p++) sum += in[p * channels + c];
        x = ((int64_t)sum * (1 << (shift < 0 ? -shift : 0)) * multiplier + 0x40000000) >> 31;
        if (shift > 0) x = (x + (x >> 63) + (1 << (shift - 1))) >> shift;
        x += zero;
        out[c] = (int8_t)(x < -128 ? -128 : x > 127 ? 127 : x);
    }
}
