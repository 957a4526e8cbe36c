/* Depthwise convolution. Some rows of four channels at a time are laid out channel by channel as int16, with what stands
   outside of the picture beside them, so that SMLAD takes two neighbouring taps at once. What is laid out is all that is
   still needed of the input's channels: the output may take its place. Weights and bias are doubled, as
   eiq_requantised needs it. */
typedef struct {
    int32_t in_height, in_width, out_height, out_width, channels;
    int32_t height, width, stride_h, stride_w, top, left;
    int32_t strip; /* output rows at a time */
    int32_t slots; /* input rows that they need */
    int32_t span;  /* int16 in a row with what is beside it */
    int8_t zero;
} eiq_depthwise_shape;

/* Input row y of up to four channels into its slot of their planes. */
static inline void eiq_depthwise_row(
    const eiq_depthwise_shape *s, const int8_t *in, int32_t y, int32_t count, int16_t *row)
{
    int32_t plane = s->slots * s->span, width = s->in_width, channels = s->channels, x, k;
    const int8_t *from = in + y * width * channels;
    if ((uint32_t)y >= (uint32_t)s->in_height) {
        for (k = count; k > 0; k--, row += plane)
            for (x = s->span; x > 0; x--) row[x - 1] = s->zero;
    } else if (count == 4) {
        int16_t *p0 = row + s->left, *p1 = p0 + plane, *p2 = p1 + plane, *p3 = p2 + plane;
        for (x = width; x > 0; x--, from += channels) {
            uint32_t word, even, odd;
            memcpy(&word, from, 4);
            even = eiq_sxtb16(word), odd = eiq_sxtb16_8(word);
            *p0++ = (int16_t)(uint16_t)(even & 0xFFFFu);
            *p1++ = (int16_t)(uint16_t)(odd & 0xFFFFu);
            *p2++ = (int16_t)(uint16_t)(even >> 16);
            *p3++ = (int16_t)(uint16_t)(odd >> 16);
        }
    } else {
        for (k = 0; k < count; k++)
            for (x = 0; x < width; x++) row[k * plane + s->left + x] = from[x * channels + k];
    }
}

static inline uint32_t eiq_two(const int16_t *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

/* ``rows`` output rows of one channel; ``height`` and ``pairs`` of taps are constants where they are worth a variant. */
static inline __attribute__((always_inline)) void eiq_depthwise_channel(
    const eiq_depthwise_shape *s, const int16_t *r, const uint32_t *w, const int32_t *q, int8_t *out, int32_t rows,
    int32_t height, int32_t pairs, int how, int32_t low, int32_t high)
{
    const int32_t record[4] = {q[0], q[1], q[2], q[3]};
    int32_t width = s->out_width, stride = s->stride_w, channels = s->channels, span = s->span;
    int32_t down = s->stride_h * span, x, ky, kx;
    if (height == 3 && pairs == 2) {
        uint32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5];
        for (; rows > 0; rows--, r += down) {
            const int16_t *r0 = r, *r1 = r + span, *r2 = r1 + span;
            for (x = width; x > 0; x--, r0 += stride, r1 += stride, r2 += stride, out += channels) {
                int32_t sum = eiq_smlad(w0, eiq_two(r0), record[0]);
                sum = eiq_smlad(w1, eiq_two(r0 + 2), sum);
                sum = eiq_smlad(w2, eiq_two(r1), sum);
                sum = eiq_smlad(w3, eiq_two(r1 + 2), sum);
                sum = eiq_smlad(w4, eiq_two(r2), sum);
                sum = eiq_smlad(w5, eiq_two(r2 + 2), sum);
                *out = eiq_requantised(sum, record, how, low, high);
            }
        }
        return;
    }
    for (; rows > 0; rows--, r += down) {
        const int16_t *left = r;
        for (x = width; x > 0; x--, left += stride, out += channels) {
            const int16_t *at = left;
            const uint32_t *tap = w;
            int32_t sum = record[0];
            for (ky = height; ky > 0; ky--, at += span) {
                if (pairs == 2) {
                    sum = eiq_smlad(tap[0], eiq_two(at), sum);
                    sum = eiq_smlad(tap[1], eiq_two(at + 2), sum);
                    tap += 2;
                } else {
                    for (kx = 0; kx < pairs; kx++) sum = eiq_smlad(*tap++, eiq_two(at + 2 * kx), sum);
                }
            }
            *out = eiq_requantised(sum, record, how, low, high);
        }
    }
}

static inline __attribute__((always_inline)) void eiq_depthwise(
    const eiq_depthwise_shape *s, const int8_t *in, const uint32_t *w, const int32_t *q, int8_t *out, int16_t *planes,
    int32_t height, int32_t pairs, int how, int32_t low, int32_t high)
{
    int32_t c, k, y, plane = s->slots * s->span, row = s->out_width * s->channels;
    for (k = 0; k < 4 * plane; k++) planes[k] = s->zero;
    for (c = 0; c < s->channels; c += 4) {
        int32_t count = s->channels - c < 4 ? s->channels - c : 4, held = 0, rows;
        for (y = 0; y < s->out_height; y += rows) {
            int32_t first = y * s->stride_h - s->top, need, over;
            rows = s->out_height - y < s->strip ? s->out_height - y : s->strip;
            need = (rows - 1) * s->stride_h + height;
            for (; held < need; held++) eiq_depthwise_row(s, in + c, first + held, count, planes + held * s->span);
            for (k = 0; k < count; k++)
                eiq_depthwise_channel(s, planes + k * plane, w + (c + k) * height * pairs, q + (c + k) * 4,
                                      out + y * row + c + k, rows, height, pairs, how, low, high);
            over = rows * s->stride_h; /* the rows below are needed again */
            held = held > over && y + rows < s->out_height ? held - over : 0;
            for (k = 0; held > 0 && k < count; k++)
                memmove(planes + k * plane, planes + k * plane + over * s->span, (size_t)(2 * held * s->span));
        }
    }
}
