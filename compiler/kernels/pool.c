/* The mean or the greatest of what a window covers inside of the picture. */
typedef struct {
    int32_t in_height, in_width, out_height, out_width, channels;
    int32_t height, width, stride_h, stride_w, top, left, low, high;
} eiq_pool_shape;

static inline __attribute__((always_inline)) void eiq_pool(
    const eiq_pool_shape *s, const int8_t *in, int8_t *out, int mean)
{
    int32_t oy, ox, c, y, x;
    for (oy = 0; oy < s->out_height; oy++) {
        int32_t y0 = oy * s->stride_h - s->top, y1 = y0 + s->height;
        if (y0 < 0) y0 = 0;
        if (y1 > s->in_height) y1 = s->in_height;
        for (ox = 0; ox < s->out_width; ox++) {
            int32_t x0 = ox * s->stride_w - s->left, x1 = x0 + s->width, count;
            if (x0 < 0) x0 = 0;
            if (x1 > s->in_width) x1 = s->in_width;
            count = (y1 - y0) * (x1 - x0);
            for (c = 0; c < s->channels; c++) {
                int32_t value = mean ? 0 : -128;
                for (y = y0; y < y1; y++) {
                    const int8_t *from = in + (y * s->in_width + x0) * s->channels + c;
                    for (x = x0; x < x1; x++, from += s->channels) {
                        if (mean) value += *from;
                        else if (*from > value) value = *from;
                    }
                }
                if (mean) value = (value > 0 ? value + count / 2 : value - count / 2) / count;
                *out++ = (int8_t)(value < s->low ? s->low : value > s->high ? s->high : value);
            }
        }
    }
}
