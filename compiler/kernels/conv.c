/* Convolution: the pixels that a kernel covers become a column of int16, and columns meet the weights two at a time. */
typedef struct {
    int32_t in_height, in_width, in_channels, out_height, out_width, out_channels;
    int32_t height, width, stride_h, stride_w, dilation_h, dilation_w, top, left;
    int32_t quads; /* a column's length in fours */
    int8_t zero;   /* what stands outside of the picture */
} eiq_conv_shape;

static inline __attribute__((always_inline)) void eiq_expand(
    uint32_t *column, const int8_t *from, int32_t quads, int32_t step)
{
    for (; quads > 0; quads--, from += 4, column += step) {
        uint32_t word;
        memcpy(&word, from, 4);
        column[0] = eiq_sxtb16(word);
        column[1] = eiq_sxtb16_8(word);
    }
}

static inline void eiq_outside(uint32_t *column, int8_t zero, int32_t quads, int32_t step)
{
    uint32_t word = eiq_sxtb16((uint8_t)zero * 0x01010101u);
    for (; quads > 0; quads--, column += step) column[0] = column[1] = word;
}

static inline int8_t *eiq_copy(int8_t *to, const int8_t *from, int32_t size)
{
    for (; size >= 4; size -= 4, to += 4, from += 4) memcpy(to, from, 4);
    for (; size > 0; size--) *to++ = *from++;
    return to;
}

/* One column: of channels in eights straight, otherwise by way of bytes, whole rows of the kernel at once if inside. */
static inline __attribute__((always_inline)) void eiq_gather(
    const eiq_conv_shape *s, const int8_t *in, int32_t oy, int32_t ox, uint32_t *column, int32_t step, int8_t *bytes,
    int ring)
{
    int32_t ky, kx, channels = s->in_channels, direct = (channels & 7) == 0, quads = channels >> 2;
    int32_t y = oy * s->stride_h - s->top, left = ox * s->stride_w - s->left;
    int whole = !direct && s->dilation_w == 1 && left >= 0 && left + s->width <= s->in_width;
    int8_t *b = bytes;
    for (ky = 0; ky < s->height; ky++, y += s->dilation_h) {
        int inside = (uint32_t)y < (uint32_t)s->in_height;
        int32_t x = left, row = ring && inside ? y % s->height : y;
        const int8_t *from = in + (row * s->in_width + left) * channels;
        if (whole && inside) {
            b = eiq_copy(b, from, s->width * channels);
            continue;
        }
        for (kx = 0; kx < s->width; kx++, x += s->dilation_w, from += s->dilation_w * channels) {
            int there = inside && (uint32_t)x < (uint32_t)s->in_width;
            if (direct) {
                if (there) eiq_expand(column, from, quads, step);
                else eiq_outside(column, s->zero, quads, step);
                column += quads * step;
            } else if (there) {
                b = eiq_copy(b, from, channels);
            } else {
                int32_t k;
                for (k = channels; k > 0; k--) *b++ = s->zero;
            }
        }
    }
    if (!direct) eiq_expand(column, bytes, s->quads, step);
}

/* ``ring``: the output takes the input's memory, so that the rows which are needed again are held beside it. */
static inline __attribute__((always_inline)) void eiq_conv(
    const eiq_conv_shape *s, const int8_t *in, const uint32_t *w, const int32_t *q, int8_t *out, uint32_t *columns,
    int ring, int how, int32_t low, int32_t high)
{
    int32_t y = 0, x = 0, pixels = s->out_height * s->out_width, next = 0, line = s->in_width * s->in_channels;
    int8_t *bytes = (int8_t *)(columns + 4 * s->quads), *rows = bytes + 4 * s->quads;
    while (pixels > 0) {
        int32_t count = pixels > 1 ? 2 : 1, i;
        for (i = 0; i < count; i++) {
            if (ring)
                for (; next < s->in_height && next < y - s->top + s->height; next++)
                    memcpy(rows + next % s->height * line, in + next * line, (size_t)line);
            eiq_gather(s, ring ? rows : in, y, x, columns + 2 * i, 2 * count, bytes, ring);
            if (++x == s->out_width) x = 0, y++;
        }
        if (count == 2) eiq_matmul(w, q, columns, 2, s->quads, s->out_channels, out, how, low, high);
        else eiq_matmul(w, q, columns, 1, s->quads, s->out_channels, out, how, low, high);
        out += count * s->out_channels;
        pixels -= count;
    }
}
