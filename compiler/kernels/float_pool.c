/* The mean or the greatest float32 of what a window covers inside of the picture. */
typedef struct {
    int32_t in_height, in_width, out_height, out_width, channels;
    int32_t height, width, stride_h, stride_w, top, left, mean;
    float low, high;
} eiq_float_pool_shape;

static void eiq_float_pool(const eiq_float_pool_shape *s, const float *in, float *out)
{
    int32_t oy, ox, c, y, x;
    for (oy = 0; oy < s->out_height; oy++)
        for (ox = 0; ox < s->out_width; ox++)
            for (c = 0; c < s->channels; c++) {
                float value = s->mean ? 0.0f : -3.402823466e+38f, count = 0.0f;
                for (y = oy * s->stride_h - s->top; y < oy * s->stride_h - s->top + s->height; y++)
                    for (x = ox * s->stride_w - s->left; x < ox * s->stride_w - s->left + s->width; x++) {
                        float one;
                        if ((uint32_t)y >= (uint32_t)s->in_height || (uint32_t)x >= (uint32_t)s->in_width) continue;
                        one = in[(y * s->in_width + x) * s->channels + c];
                        count += 1.0f;
                        if (s->mean) value += one;
                        else if (one > value) value = one;
                    }
                if (s->mean) value /= count;
                *out++ = value < s->low ? s->low : value > s->high ? s->high : value;
            }
}
