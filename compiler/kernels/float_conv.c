/* Convolution of float32, and depthwise where ``multiplier`` is above zero. */
typedef struct {
    int32_t in_height, in_width, in_channels, out_height, out_width, out_channels;
    int32_t height, width, stride_h, stride_w, dilation_h, dilation_w, top, left;
    int32_t multiplier; /* outputs for each input channel of a depthwise convolution */
    float low, high;
} eiq_float_conv_shape;

static void eiq_float_conv(
    const eiq_float_conv_shape *s, const float *in, const float *weights, const float *bias, float *out)
{
    const int32_t area = s->height * s->width;
    int32_t oy, ox, c, ky, kx, k;
    for (oy = 0; oy < s->out_height; oy++)
        for (ox = 0; ox < s->out_width; ox++)
            for (c = 0; c < s->out_channels; c++) {
                const float *w = s->multiplier ? weights + c : weights + c * area * s->in_channels;
                int32_t y = oy * s->stride_h - s->top, step = s->multiplier ? s->out_channels : s->in_channels;
                float sum = 0.0f;
                for (ky = 0; ky < s->height; ky++, y += s->dilation_h) {
                    int32_t x = ox * s->stride_w - s->left;
                    for (kx = 0; kx < s->width; kx++, x += s->dilation_w, w += step) {
                        const float *from;
                        if ((uint32_t)y >= (uint32_t)s->in_height || (uint32_t)x >= (uint32_t)s->in_width) continue;
                        from = in + (y * s->in_width + x) * s->in_channels;
                        if (s->multiplier) sum += from[c / s->multiplier] * *w;
                        else
                            for (k = 0; k < s->in_channels; k++) sum += from[k] * w[k];
                    }
                }
                sum += bias[c];
                *out++ = sum < s->low ? s->low : sum > s->high ? s->high : sum;
            }
}
