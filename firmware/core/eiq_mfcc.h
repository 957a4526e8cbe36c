/* Features on the board: windows of sound to MFCC or log-mel, equal to pipelines/transforms/mfcc.py within float32.

   Tables come from the build (hal/rt/features.py). Plain C99, float32, -ffp-contract=off: the same bits everywhere. */
#ifndef EIQ_MFCC_H
#define EIQ_MFCC_H
#include <stdint.h>

struct eiq_mfcc {
    uint32_t window, hop, fft;     /* samples; fft is a power of two */
    uint32_t frames;               /* of one window of sound */
    uint32_t mels, coefficients;   /* at most fft / 2 mels; coefficients 0: log-mel */
    uint32_t magnitude;            /* sums magnitudes instead of powers */
    float offset, floor, unit;     /* unit * ln(max(energy + offset, floor)) */
    const float *taper;            /* [window]; divided by 2 * 32768, see eiq_mfcc.c */
    const float *twiddles;         /* in the order in which eiq_mfcc.c reads them */
    const uint16_t *first, *count; /* [mels]: bins of each band */
    const float *weights;          /* band by band */
    const float *cosines;          /* [coefficients][mels] */
};

/* What a model's features are cut from. */
struct eiq_window {
    float rate_hz;
    uint32_t length; /* samples of a window */
    const struct eiq_mfcc *mfcc;
};

/* One analysis frame: int16 samples [window] to float [coefficients or mels]. scratch: [fft + 2] floats. */
void eiq_mfcc_frame(const struct eiq_mfcc *mfcc, const int16_t *samples, float *out, float *scratch);

/* ln of a finite number above 0, with an error below one unit in the last place, by float arithmetic alone. */
float eiq_ln(float x);

/* The correctly rounded square root of a finite number of 0 or above. */
float eiq_sqrt(float x);
#endif
