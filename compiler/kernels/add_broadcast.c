/* ADD of two shapes that fit, row by row. */
static void eiq_add_broadcast(
    const eiq_pair_shape *s, const eiq_add_numbers *n, const int8_t *a, const int8_t *b, int8_t *out)
{
    int32_t i, j;
    for (i = 0; i < s->shape[0]; i++)
        for (j = 0; j < s->shape[1]; j++, out += s->shape[2])
            eiq_add_row(n, a + i * s->a[0] + j * s->a[1], s->a[2], b + i * s->b[0] + j * s->b[1], s->b[2], out,
                         s->shape[2]);
}
