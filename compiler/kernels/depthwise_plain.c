/* Depthwise convolution with steps between its taps, or several outputs for each input channel: tap by tap. */
typedef struct {
    int32_t in_height, in_width, in_channels, out_height, out_width, out_channels;
    int32_t height, width, stride_h, stride_w, dilation_h, dilation_w, top, left;
    int32_t multiplier; /* outputs for each input channel */
    int32_t zero;       /* what stands outside of the picture */
} eiq_depthwise_plain_shape;

static inline __attribute__((always_inline)) void eiq_depthwise_plain(
    const eiq_depthwise_plain_shape *s, const int8_t *in, const int8_t *weights, const int32_t *records, int8_t *out,
    int how, int32_t low, int32_t high)
{
    int32_t oy, ox, c, ky, kx;
    for (oy = 0; oy < s->out_height; oy++)
        for (ox = 0; ox < s->out_width; ox++)
            for (c = 0; c < s->out_channels; c++) {
                const int32_t *q = records + 4 * c;
                const int8_t *w = weights + c;
                int32_t sum = q[0], y = oy * s->stride_h - s->top;
                for (ky = 0; ky < s->height; ky++, y += s->dilation_h) {
                    int32_t x = ox * s->stride_w - s->left;
                    for (kx = 0; kx < s->width; kx++, x += s->dilation_w, w += s->out_channels) {
                        int32_t value = s->zero;
                        if ((uint32_t)y < (uint32_t)s->in_height && (uint32_t)x < (uint32_t)s->in_width)
                            value = in[(y * s->in_width + x) * s->in_channels + c / s->multiplier];
                        sum += *w * value;
                    }
                }
                *out++ = eiq_requantised(2 * sum, q, how, low, high);
            }
}
