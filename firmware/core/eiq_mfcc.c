/* See eiq_mfcc.h. The same bits from every compiler at every -O: float32 operations in the order written here, each
   rounded once. What could break that is refused. */
#include "eiq_mfcc.h"
#include <float.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "eiq_mfcc.c needs float arithmetic in float: on 32-bit x86 build with -msse2 -mfpmath=sse"
#endif
#ifdef __FAST_MATH__
#error "eiq_mfcc.c must not be built with -ffast-math, which changes the order of sums"
#endif

static float as_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t as_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x = 2^k * (1 + f) with 1 + f from sqrt(1/2) to sqrt(2), and s = f / (2 + f):
   ln(1 + f) = 2 * atanh(s) = f - f^2/2 + s * (f^2/2 + R), R = s^2 * (2/3 + 2/5 * s^2 + ...), here a polynomial that
   keeps the error of the whole below 2^-31 of it. ln 2 is a sum whose first part has so few bits that k times it is
   exact. */
float eiq_ln(float x)
{
    static const float ln2_high = 0x1.62e4p-1f, ln2_low = 1.42860677e-06f;
    const uint32_t root_half = 0x3f3504f3u, one = 0x3f800000u;
    float k = 0.0f, f, s, w, r, half;
    uint32_t bits;
    if (x < FLT_MIN) {
        x *= 0x1p25f;
        k = -25.0f;
    }
    bits = as_bits(x) + (one - root_half);
    k += (float)((int32_t)(bits >> 23) - 127);
    f = as_float((bits & 0x7fffffu) + root_half) - 1.0f;
    s = f / (2.0f + f);
    w = s * s;
    r = w * (0.666666687f + w * (0.400001228f + w * (0.285507798f + w * 0.23331368f)));
    half = 0.5f * f * f;
    return k * ln2_high - ((half - (s * (half + r) + k * ln2_low)) - f);
}

float eiq_sqrt(float x)
{
#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4)
    __asm__("vsqrt.f32 %0, %1" : "=t"(x) : "t"(x)); /* correctly rounded, as IEEE 754 asks */
    return x;
#else
    /* Newton's iteration in double ends within a unit of its last place, and the root of a float lies further than that
       from the middle of two floats: rounding it to float is right. Tested for every mantissa. */
    double y;
    int step;
    if (x < FLT_MIN) return x > 0.0f ? 0x1p-12f * eiq_sqrt(0x1p24f * x) : 0.0f;
    y = as_float((as_bits(x) >> 1) + 0x1fbd1df5u);
    for (step = 0; step < 4; step++) y = 0.5 * (y + x / y);
    return (float)y;
#endif
}

/* The place after j in bit-reversed order. */
static uint32_t next_reversed(uint32_t j, uint32_t size)
{
    uint32_t bit = size >> 1;
    while (j & bit) {
        j ^= bit;
        bit >>= 1;
    }
    return j | bit;
}

/* Two samples are one complex number, in bit-reversed order; zeros up to the FFT's length. The taper is divided by
   2 * 32768, which is exact: samples / 32768, and half of it, as power() wants it. */
static void taper(const struct eiq_mfcc *mfcc, const int16_t *samples, float *z)
{
    const float *by = mfcc->taper;
    uint32_t i, j = 0, half = mfcc->fft / 2;
    memset(z, 0, mfcc->fft * sizeof *z);
    for (i = 0; i + 1 < mfcc->window; i += 2) {
        z[2 * j] = (float)samples[i] * by[i];
        z[2 * j + 1] = (float)samples[i + 1] * by[i + 1];
        j = next_reversed(j, half);
    }
    if (i < mfcc->window) z[2 * j] = (float)samples[i] * by[i];
}

/* Four transforms of length m at a, a + m, a + 2m, a + 3m (of the numbers 0, 2, 1, 3 modulo 4, as bits are reversed)
   to one of 4m, the k-th of each: b1, b2, b3 are multiplied by the powers 1, 2, 3 of the twiddle already. */
static inline void butterfly(float *a, uint32_t m, float b1r, float b1i, float b2r, float b2i, float b3r, float b3i)
{
    float *b = a + 2 * m, *c = a + 4 * m, *d = a + 6 * m;
    float sum_r = a[0] + b2r, sum_i = a[1] + b2i, rest_r = a[0] - b2r, rest_i = a[1] - b2i;
    float odd_r = b1r + b3r, odd_i = b1i + b3i, turn_r = b1r - b3r, turn_i = b1i - b3i;
    a[0] = sum_r + odd_r, a[1] = sum_i + odd_i;
    b[0] = rest_r + turn_i, b[1] = rest_i - turn_r;
    c[0] = sum_r - odd_r, c[1] = sum_i - odd_i;
    d[0] = rest_r - turn_i, d[1] = rest_i + turn_r;
}

/* All transforms of length m to those of 4m. t: for k from 1 to m - 1, cosine and sine of 2 pi k / 4m, of twice and of
   three times that angle. Returns what follows in t. */
static const float *join(float *z, uint32_t half, uint32_t m, const float *t)
{
    float *a, *const stop = z + 2 * half;
    uint32_t k;
    for (a = z; a < stop; a += 8 * m)
        butterfly(a, m, a[4 * m], a[4 * m + 1], a[2 * m], a[2 * m + 1], a[6 * m], a[6 * m + 1]);
    for (k = 1; k < m; k++, t += 6) {
        const float c1 = t[0], s1 = t[1], c2 = t[2], s2 = t[3], c3 = t[4], s3 = t[5];
        for (a = z + 2 * k; a < stop; a += 8 * m) {
            const float b1r = a[4 * m], b1i = a[4 * m + 1], b2r = a[2 * m], b2i = a[2 * m + 1];
            const float b3r = a[6 * m], b3i = a[6 * m + 1];
            butterfly(a, m, b1r * c1 + b1i * s1, b1i * c1 - b1r * s1, b2r * c2 + b2i * s2, b2i * c2 - b2r * s2,
                      b3r * c3 + b3i * s3, b3i * c3 - b3r * s3);
        }
    }
    return t;
}

/* The transform of fft real numbers from that of half as many complex ones: with E = Z[k] + conj(Z[half - k]) and
   O = Z[k] - conj(Z[half - k]), bins k and half - k are E -+ i * twiddle * O; Z is half of what it would be. The power
   of bin k goes to z[2k], in place. t: cosine and sine of 2 pi k / fft from k = 1 to half / 2. */
static void powers(float *z, uint32_t half, const float *t)
{
    const float first = 2.0f * (z[0] + z[1]), last = 2.0f * (z[0] - z[1]);
    float *p = z + 2, *q = z + 2 * half - 2;
    z[0] = first * first;
    z[2 * half] = last * last;
    for (; p <= q; p += 2, q -= 2, t += 2) {
        const float er = p[0] + q[0], ei = p[1] - q[1], or = p[0] - q[0], oi = p[1] + q[1];
        const float tr = oi * t[0] - or * t[1], ti = or * t[0] + oi * t[1];
        const float ar = er + tr, ai = ei - ti, br = er - tr, bi = ei + ti;
        p[0] = ar * ar + ai * ai;
        q[0] = br * br + bi * bi;
    }
}

static void spectrum(const struct eiq_mfcc *mfcc, float *z)
{
    const float *t = mfcc->twiddles;
    uint32_t i, m = 1, half = mfcc->fft / 2;
    if (half & 0xaaaaaaaau) { /* no power of 4 */
        for (i = 0; i < half; i += 2) {
            float *a = z + 2 * i;
            const float br = a[2], bi = a[3];
            a[2] = a[0] - br, a[3] = a[1] - bi;
            a[0] += br, a[1] += bi;
        }
        m = 2;
    }
    for (; m < half; m *= 4) t = join(z, half, m, t);
    powers(z, half, t);
    if (mfcc->magnitude)
        for (i = 0; i <= half; i++) z[2 * i] = eiq_sqrt(z[2 * i]);
}

/* Logarithms of the bands' energies, each at ``step`` floats from the one before. */
static void logs(const struct eiq_mfcc *mfcc, const float *spectrum, float *out, uint32_t step)
{
    const float *weight = mfcc->weights;
    uint32_t band, n;
    for (band = 0; band < mfcc->mels; band++) {
        const float *bin = spectrum + 2 * (uint32_t)mfcc->first[band];
        float energy = 0.0f;
        for (n = mfcc->count[band]; n; n--, bin += 2) energy += *bin * *weight++;
        energy += mfcc->offset;
        if (energy < mfcc->floor) energy = mfcc->floor;
        out[step * band] = mfcc->unit * eiq_ln(energy);
    }
}

void eiq_mfcc_frame(const struct eiq_mfcc *mfcc, const int16_t *samples, float *out, float *scratch)
{
    const float *cosine = mfcc->cosines;
    uint32_t i, band;
    taper(mfcc, samples, scratch);
    spectrum(mfcc, scratch);
    if (!mfcc->coefficients) {
        logs(mfcc, scratch, out, 1);
        return;
    }
    logs(mfcc, scratch, scratch + 1, 2); /* into the places that the powers left free */
    for (i = 0; i < mfcc->coefficients; i++) {
        float sum = 0.0f;
        for (band = 0; band < mfcc->mels; band++) sum += scratch[1 + 2 * band] * *cosine++;
        out[i] = sum;
    }
}
