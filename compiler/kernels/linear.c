/* Sums of x by weights, in double, each weight as a sum of two floats: features that lie far from 0 beside their spread
   leave little of large terms. -1 if a feature is not finite. */
static int eiq_linear(
    const float *in, const float *weights, const float *weights_rest, const float *bias, const float *bias_rest,
    float *out, int32_t rows, int32_t depth)
{
    const double most = 3.402823466e+38;
    int32_t r, k;
    for (k = 0; k < depth; k++)
        if (!(in[k] - in[k] == 0.0f)) return -1;
    for (r = 0; r < rows; r++, weights += depth, weights_rest += depth) {
        double sum = (double)bias[r] + (double)bias_rest[r];
        for (k = 0; k < depth; k++) sum += (double)in[k] * ((double)weights[k] + (double)weights_rest[k]);
        out[r] = (float)(sum < -most ? -most : sum > most ? most : sum);
    }
    return 0;
}
