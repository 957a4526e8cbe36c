/* Real numbers to stored ones, half away from zero. */
static void eiq_quantise(const float *in, int8_t *out, int32_t size, float scale, int32_t zero)
{
    for (; size > 0; size--) {
        float x = *in++ / scale, rest;
        int32_t stored;
        x = !(x > -1024.0f) ? -1024.0f : x > 1024.0f ? 1024.0f : x;
        stored = (int32_t)x;
        rest = x - (float)stored;
        stored += (rest >= 0.5f) - (rest <= -0.5f) + zero;
        *out++ = (int8_t)(stored < -128 ? -128 : stored > 127 ? 127 : stored);
    }
}
