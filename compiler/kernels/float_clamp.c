/* What is within two limits. */
static void eiq_float_clamp(const float *in, float *out, int32_t size, float low, float high)
{
    for (; size > 0; size--, in++) *out++ = *in < low ? low : *in > high ? high : *in;
}
