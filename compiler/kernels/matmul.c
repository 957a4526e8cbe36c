/* One or two columns of int16 against the weights of all channels, two channels at a time.

   Four weights of one channel stand beside four of the next. A column holds its values in the order 0, 2, 1, 3, as
   SXTB16 takes a word of weights apart; of two columns, four values of one stand beside four of the other. Both are
   padded with zeros to a multiple of eight. */
static inline int32_t eiq_twice(int32_t x) { return (int32_t)((uint32_t)x << 1); }

#if defined(__ARM_FEATURE_DSP)
#define EIQ_WEIGHTS \
    "ldrd %[wa], %[wb], [%[w]], #8\n\t" \
    "ldrd %[u], %[v], [%[x]], #8\n\t" \
    "sxtb16 %[wc], %[wa]\n\t" \
    "sxtb16 %[wa], %[wa], ror #8\n\t" \
    "sxtb16 %[wd], %[wb]\n\t" \
    "sxtb16 %[wb], %[wb], ror #8\n\t"
#define EIQ_FIRST \
    "smlad %[a0], %[wc], %[u], %[a0]\n\t" \
    "smlad %[b0], %[wd], %[u], %[b0]\n\t" \
    "smlad %[a0], %[wa], %[v], %[a0]\n\t" \
    "smlad %[b0], %[wb], %[v], %[b0]\n\t"
#define EIQ_SECOND \
    "ldrd %[u], %[v], [%[x]], #8\n\t" \
    "smlad %[a1], %[wc], %[u], %[a1]\n\t" \
    "smlad %[b1], %[wd], %[u], %[b1]\n\t" \
    "smlad %[a1], %[wa], %[v], %[a1]\n\t" \
    "smlad %[b1], %[wb], %[v], %[b1]\n\t"
#define EIQ_TEMPORARIES \
    [wa] "=&r"(wa), [wb] "=&r"(wb), [wc] "=&r"(wc), [wd] "=&r"(wd), [u] "=&r"(u), [v] "=&r"(v)
#define EIQ_DOT(weights, column, stop_, first_a, first_b, second_a, second_b, columns) \
    do { \
        uint32_t wa, wb, wc, wd, u, v; \
        if (columns == 2) \
            __asm__ volatile("1:\n\t" EIQ_WEIGHTS EIQ_FIRST EIQ_SECOND EIQ_WEIGHTS EIQ_FIRST EIQ_SECOND \
                             "cmp %[w], %[stop]\n\tbne 1b\n\t" \
                             : [w] "+r"(weights), [x] "+r"(column), [a0] "+r"(first_a), [b0] "+r"(first_b), \
                               [a1] "+r"(second_a), [b1] "+r"(second_b), EIQ_TEMPORARIES \
                             : [stop] "r"(stop_) : "cc", "memory"); \
        else \
            __asm__ volatile("1:\n\t" EIQ_WEIGHTS EIQ_FIRST EIQ_WEIGHTS EIQ_FIRST \
                             "cmp %[w], %[stop]\n\tbne 1b\n\t" \
                             : [w] "+r"(weights), [x] "+r"(column), [a0] "+r"(first_a), [b0] "+r"(first_b), \
                               EIQ_TEMPORARIES : [stop] "r"(stop_) : "cc", "memory"); \
    } while (0)
#else
static inline int32_t eiq_dot4(uint32_t w, const uint32_t *x, int32_t sum)
{
    return eiq_smlad(eiq_sxtb16_8(w), x[1], eiq_smlad(eiq_sxtb16(w), x[0], sum));
}
#define EIQ_DOT(w, x, stop, a0, b0, a1, b1, columns) \
    for (; w != stop; w += 2) { \
        a0 = eiq_dot4(w[0], x, a0); \
        b0 = eiq_dot4(w[1], x, b0); \
        x += 2; \
        if (columns == 2) { \
            a1 = eiq_dot4(w[0], x, a1); \
            b1 = eiq_dot4(w[1], x, b1); \
            x += 2; \
        } \
    }
#endif

static inline __attribute__((always_inline)) void eiq_matmul(
    const uint32_t *w, const int32_t *q, const uint32_t *x, int columns, int32_t quads, int32_t channels, int8_t *y,
    int how, int32_t low, int32_t high)
{
    int32_t pairs;
    for (pairs = channels >> 1; pairs >= 0; pairs--, q += 8, y += 2) {
        const uint32_t *column = x, *stop = w + 2 * quads;
        int32_t a0, b0, a1, b1;
        if (pairs == 0 && !(channels & 1)) break;
        a0 = a1 = q[0], b0 = b1 = q[4];
        EIQ_DOT(w, column, stop, a0, b0, a1, b1, columns);
        y[0] = eiq_requantised(eiq_twice(a0), q, how, low, high);
        if (columns == 2) y[channels] = eiq_requantised(eiq_twice(a1), q, how, low, high);
        if (pairs == 0) break;
        y[1] = eiq_requantised(eiq_twice(b0), q + 4, how, low, high);
        if (columns == 2) y[channels + 1] = eiq_requantised(eiq_twice(b1), q + 4, how, low, high);
    }
}
