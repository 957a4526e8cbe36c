/* (x - centre) * factor, each centre as a sum of two floats, within limits; -1 if a feature is not finite. */
static int eiq_standard_scaler(
    const float *in, const float *centre, const float *rest, const float *factor, float *out, int32_t size, float low,
    float high)
{
    int32_t i;
    for (i = 0; i < size; i++) {
        float y = in[i] - centre[i];
        if (!(in[i] - in[i] == 0.0f)) return -1;
        y = (y - rest[i]) * factor[i];
        out[i] = y < low ? low : y > high ? high : y;
    }
    return 0;
}
