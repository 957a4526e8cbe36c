/* The hyperbolic tangent: a polynomial around zero (Cephes' tanhf), by way of e to the 2x further out. */
static void eiq_float_tanh(const float *in, float *out, int32_t size)
{
    for (; size > 0; size--, in++) {
        float x = *in, far = x < 0.0f ? -x : x, z = x * x;
        if (far < 0.625f) {
            float p = -5.70498872745e-3f;
            p = p * z + 2.06390887954e-2f;
            p = p * z - 5.37397155531e-2f;
            p = p * z + 1.33314422036e-1f;
            p = p * z - 3.33332819422e-1f;
            *out++ = p * z * x + x;
        } else {
            float y = 1.0f - 2.0f / (eiq_exp(2.0f * (far > 40.0f ? 40.0f : far)) + 1.0f);
            *out++ = x != x ? x : x < 0.0f ? -y : y;
        }
    }
}
