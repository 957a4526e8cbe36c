/* 1 / (1 + e to the -x), with the two ends that TFLite's reference has. */
static void eiq_float_logistic(const float *in, float *out, int32_t size)
{
    for (; size > 0; size--, in++)
        *out++ = *in > 16.6190471649f ? 1.0f : *in < -9.0f ? eiq_exp(*in) : 1.0f / (1.0f + eiq_exp(-*in));
}
