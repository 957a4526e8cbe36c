/* Elements of one size from strides to strides: transposed, sliced, joined, or into a frame of padding. */
typedef struct {
    int32_t shape[5], from[5], to[5]; /* sizes, and strides in elements */
    int32_t bytes;                    /* of an element */
} eiq_move_shape;

/* ``first`` and ``begin`` are bytes. */
static void eiq_move(const eiq_move_shape *s, const void *source, int32_t first, void *target, int32_t begin)
{
    const int8_t *in = (const int8_t *)source + first;
    int8_t *out = (int8_t *)target + begin;
    int32_t a, b, c, d, e, bytes = s->bytes;
    for (a = 0; a < s->shape[0]; a++)
        for (b = 0; b < s->shape[1]; b++)
            for (c = 0; c < s->shape[2]; c++)
                for (d = 0; d < s->shape[3]; d++) {
                    const int8_t *f = in + bytes * (a * s->from[0] + b * s->from[1] + c * s->from[2] + d * s->from[3]);
                    int8_t *t = out + bytes * (a * s->to[0] + b * s->to[1] + c * s->to[2] + d * s->to[3]);
                    if (s->from[4] == 1 && s->to[4] == 1) {
                        memcpy(t, f, (size_t)(bytes * s->shape[4]));
                        continue;
                    }
                    for (e = 0; e < s->shape[4]; e++, f += bytes * s->from[4], t += bytes * s->to[4])
                        memcpy(t, f, (size_t)bytes);
                }
}
