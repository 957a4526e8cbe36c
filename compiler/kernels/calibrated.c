/* Platt's probabilities: 1 / (1 + e to the (a * x + b)) of each class, of all classes 1 (of two there is one x). */
static float eiq_platt(float x, float a, float b)
{
    return 1.0f / (1.0f + eiq_exp(a * x + b));
}

static void eiq_calibrated(const float *in, const float *a, const float *b, float *out, int32_t classes)
{
    float sum = 0.0f;
    int32_t c;
    if (classes == 2) {
        out[1] = eiq_platt(in[0], a[0], b[0]);
        out[0] = 1.0f - out[1];
        return;
    }
    for (c = 0; c < classes; c++) {
        out[c] = eiq_platt(in[c], a[c], b[c]);
        sum += out[c];
    }
    for (c = 0; c < classes; c++) out[c] = sum > 0.0f ? out[c] / sum : 1.0f / (float)classes;
}
