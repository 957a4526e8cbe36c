/* The sum, difference or product of two tensors of float32. */
static void eiq_float_pair(
    const eiq_pair_shape *s, const float *a, const float *b, float *out, char op, float low, float high)
{
    int32_t i, j, k;
    for (i = 0; i < s->shape[0]; i++)
        for (j = 0; j < s->shape[1]; j++) {
            const float *x = a + i * s->a[0] + j * s->a[1], *y = b + i * s->b[0] + j * s->b[1];
            for (k = 0; k < s->shape[2]; k++, x += s->a[2], y += s->b[2]) {
                float z = op == '*' ? *x * *y : op == '-' ? *x - *y : *x + *y;
                *out++ = z < low ? low : z > high ? high : z;
            }
        }
}
