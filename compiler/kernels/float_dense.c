/* Rows of float32 against the weights of all channels. */
static void eiq_float_dense(
    const float *in, const float *weights, const float *bias, float *out, int32_t rows, int32_t depth,
    int32_t channels, float low, float high)
{
    int32_t c, k;
    for (; rows > 0; rows--, in += depth)
        for (c = 0; c < channels; c++) {
            const float *w = weights + c * depth;
            float sum = 0.0f;
            for (k = 0; k < depth; k++) sum += in[k] * w[k];
            sum += bias[c];
            *out++ = sum < low ? low : sum > high ? high : sum;
        }
}
