/* Stored numbers to real ones; ``flip`` is 128 where they are unsigned, and in ``zero`` already. */
static void eiq_dequantise(const int8_t *in, float *out, int32_t size, float scale, int32_t zero, int32_t flip)
{
    for (; size > 0; size--) *out++ = scale * (float)((int8_t)(uint8_t)((uint8_t)*in++ ^ (uint8_t)flip) - zero);
}
