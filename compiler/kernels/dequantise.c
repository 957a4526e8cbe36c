/* Stored numbers to real ones. */
static void eiq_dequantise(const int8_t *in, float *out, int32_t size, float scale, int32_t zero)
{
    for (; size > 0; size--) *out++ = scale * (float)(*in++ - zero);
}
