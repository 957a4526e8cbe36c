/* A support vector machine's decisions, one of each pair of classes: the sum of what each support vector has in common
   with x, by its coefficient in each pair of its class. The sums are compensated (Kahan's), as they have many terms.
   -1 if a feature is not finite. */
typedef struct {
    int32_t vectors, features, rows, pairs, degree;
    float gamma, coef0, sign;
} eiq_support_shape;

static float eiq_in_common(const eiq_support_shape *s, char kind, const float *x, const float *vector)
{
    float sum = 0.0f, power = 1.0f;
    int32_t i;
    for (i = 0; i < s->features; i++) sum += kind == 'r' ? (x[i] - vector[i]) * (x[i] - vector[i]) : x[i] * vector[i];
    if (kind == 'l') return sum;
    if (kind == 'r') return eiq_exp(-s->gamma * sum);
    sum = s->gamma * sum + s->coef0;
    if (kind == 's') {
        eiq_float_tanh(&sum, &sum, 1);
        return sum;
    }
    for (i = 0; i < s->degree; i++) power *= sum;
    return power;
}

/* pair: of each class, the places of its pairs; last: of each class, one past its last vector. lost: scratch. */
static int eiq_support_vectors(
    const eiq_support_shape *s, const float *in, const float *vectors, const float *coefficients,
    const float *intercepts, const int32_t *last, const int32_t *pair, float *out, float *lost, char kind)
{
    int32_t i, r;
    for (i = 0; i < s->features; i++)
        if (!(in[i] - in[i] == 0.0f)) return -1;
    for (r = 0; r < s->pairs; r++) {
        out[r] = intercepts[r];
        lost[r] = 0.0f;
    }
    for (i = 0; i < s->vectors; i++, vectors += s->features, coefficients += s->rows) {
        float common = eiq_in_common(s, kind, in, vectors);
        while (i >= *last) {
            last++;
            pair += s->rows;
        }
        for (r = 0; r < s->rows; r++) {
            int32_t p = pair[r];
            float more = coefficients[r] * common - lost[p], next = out[p] + more;
            lost[p] = (next - out[p]) - more;
            out[p] = next;
        }
    }
    for (r = 0; r < s->pairs; r++) out[r] *= s->sign;
    return 0;
}
