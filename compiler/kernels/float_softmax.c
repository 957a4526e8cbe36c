/* Softmax of float32. */
static void eiq_float_softmax(const float *in, float *out, int32_t rows, int32_t size, float beta)
{
    int32_t i;
    for (; rows > 0; rows--, in += size, out += size) {
        float greatest = in[0], sum = 0.0f;
        for (i = 1; i < size; i++)
            if (in[i] > greatest) greatest = in[i];
        for (i = 0; i < size; i++) {
            out[i] = eiq_exp((in[i] - greatest) * beta);
            sum += out[i];
        }
        for (i = 0; i < size; i++) out[i] /= sum;
    }
}
