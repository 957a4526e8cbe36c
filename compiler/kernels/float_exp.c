/* e to the x: a power of two, and a polynomial within half a factor of two around one (Cephes' expf). Its relative error
   is below 2e-7, and it ends at 0 and infinity where float32 does. */
static inline float eiq_two_to(int32_t exponent)
{
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return power;
}

static float eiq_exp(float x)
{
    int32_t whole;
    float z;
    if (x != x) return x;
    x = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
    whole = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    x -= (float)whole * 0.693359375f;
    x -= (float)whole * -2.12194440e-4f;
    z = 1.9875691500e-4f;
    z = z * x + 1.3981999507e-3f;
    z = z * x + 8.3334519073e-3f;
    z = z * x + 4.1665795894e-2f;
    z = z * x + 1.6666665459e-1f;
    z = z * x + 5.0000001201e-1f;
    z = z * x * x + x + 1.0f;
    return z * eiq_two_to(whole / 2) * eiq_two_to(whole - whole / 2);
}
