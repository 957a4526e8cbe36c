/* Softmax in gemmlowp's fixed point, as TFLite's reference; the exponentials of all differences stand in a table. */
static inline int32_t eiq_high_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
}

static inline int32_t eiq_rounded(int32_t x, int32_t shift)
{
    return (int32_t)(((int64_t)x + (x >> 31) + (1LL << (shift - 1))) >> shift);
}

static inline int32_t eiq_up(int32_t x, int32_t shift)
{
    int32_t most = 0x7FFFFFFF >> shift;
    return x > most ? 0x7FFFFFFF : x < -most - 1 ? -0x7FFFFFFF - 1 : (int32_t)((uint32_t)x << shift);
}

/* exponentials[d]: e to the minus d times the scale, Q31; d from 0, as far as it counts. */
static void eiq_softmax(const int8_t *in, int8_t *out, int32_t rows, int32_t size, const int32_t *exponentials, int32_t count)
{
    for (; rows > 0; rows--, in += size, out += size) {
        int32_t greatest = -128, sum = 0, over = 0, half, x, i;
        for (i = 0; i < size; i++)
            if (in[i] > greatest) greatest = in[i];
        for (i = 0; i < size; i++)
            if (greatest - in[i] < count) sum += eiq_rounded(exponentials[greatest - in[i]], 12);
        while (!((uint32_t)sum << over & 0x80000000u)) over++;
        half = (int32_t)(((uint32_t)sum << over) - 0x80000000u); /* the sum's fraction; 1 / (1 + it) by Newton */
        half = (int32_t)(((int64_t)half + 0x7FFFFFFF + 1) / 2);
        x = 1515870810 + eiq_high_product(half, -1010580540);
        for (i = 0; i < 3; i++) x += eiq_up(eiq_high_product(x, (1 << 29) - eiq_high_product(half, x)), 2);
        x = eiq_up(x, 1);
        for (i = 0; i < size; i++) {
            int32_t y = -128;
            if (greatest - in[i] < count)
                y = eiq_rounded(eiq_high_product(x, exponentials[greatest - in[i]]), 12 - over + 23) - 128;
            out[i] = (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
        }
    }
}
