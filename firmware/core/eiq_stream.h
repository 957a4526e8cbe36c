/* Window, features and inference of a sensor's stream on the board.

   Window k covers samples k * hop to k * hop + length, as pipelines/transforms/window.py cuts them. An analysis frame is
   computed once, as soon as its samples are there, and kept for all windows that it lies in; where hop is no multiple
   of the analysis hop, each window has frames of its own. A recording never loses a window: it waits while the host
   has not asked on. A real sensor goes on, and the oldest results are lost; the index of the window tells. */
#ifndef EIQ_STREAM_H
#define EIQ_STREAM_H
#include <stdint.h>
#include "eiq_config.h" /* and with it models.h: the sizes of the largest model that has features */
#include "eiq_model.h"
#include "eiq_port.h"

#if !defined(EIQ_FEATURE_VALUES) || !defined(EIQ_FEATURE_SAMPLES) || !defined(EIQ_FEATURE_POINTS) || \
    !defined(EIQ_RESULT_BYTES)
#error "models.h lacks EIQ_FEATURE_VALUES, _SAMPLES, _POINTS (frames * bands, analysis window, FFT) or EIQ_RESULT_BYTES"
#endif
#ifndef EIQ_STREAM_RESULTS
#define EIQ_STREAM_RESULTS 8 /* whole results that wait for the host */
#endif
#if EIQ_STREAM_RESULTS < 1
#error "EIQ_STREAM_RESULTS: a stream keeps one result at least"
#endif

/* What became of a window. */
struct eiq_result {
    uint32_t window; /* its index */
    uint64_t ticks;  /* the board's clock when its last sample was there */
    uint32_t feature_ticks, inference_ticks;
    uint32_t bytes;  /* the model's output blob, or its input blob with features_only */
    uint8_t data[EIQ_RESULT_BYTES ? EIQ_RESULT_BYTES : 1];
};

/* A stream; all zeros is one that was never started. */
struct eiq_stream {
    const struct eiq_port *port;
    const struct eiq_sensor *sensor; /* NULL: no stream */
    const struct eiq_model *model;
    uint32_t source, index; /* of the sensor and the model */
    uint32_t hop;
    int32_t status; /* enum eiq_status; not OK: it failed, and stands still */
    uint8_t fast, features_only, ended;
    uint8_t noticed; /* all samples of the window are there, since "ticks" */
    uint64_t started, ticks;
    uint32_t window, base; /* the next window and its first sample */
    uint32_t head, done;   /* place of its first frame in rows, and how many of its frames are there */
    uint32_t feature_ticks;
    uint32_t first, count; /* of the results, a ring */
    struct eiq_result results[EIQ_STREAM_RESULTS];
    float rows[EIQ_FEATURE_VALUES ? EIQ_FEATURE_VALUES : 1]; /* [frames][bands], a ring of frames */
    float scratch[EIQ_FEATURE_POINTS + 2];
    int16_t samples[EIQ_FEATURE_SAMPLES ? EIQ_FEATURE_SAMPLES : 1];
};

struct eiq_server;

/* Begin anew, with the sensor. Returns enum eiq_status: BAD_REQUEST for a hop of 0 or above 2^30, or a sensor that is no
   int16 sound of one channel at the features' rate; NO_SUCH_SENSOR, NO_SUCH_MODEL, NO_FEATURES, SENSOR_FAILED. */
int32_t eiq_stream_start(struct eiq_stream *stream, const struct eiq_port *port, uint32_t sensor, uint32_t model,
                         uint32_t hop, int fast, int features_only);

/* There is no stream any more; also before something else starts its sensor. */
void eiq_stream_stop(struct eiq_stream *stream);

/* Work for a little while: one analysis frame, or one inference by eiq_server_run. Returns 1 where there may be more to
   do at once, 0 where it waits for samples or for the host. */
int eiq_stream_step(struct eiq_stream *stream, struct eiq_server *server);

/* CRC-32 of what the stream was started with: a start that was damaged on its way shows in every result. */
uint32_t eiq_stream_check(const struct eiq_stream *stream);

/* The first result from "window" on that is there; those below are forgotten. OK with *result, valid until the next
   step or read; else *result is NULL: NOT_READY (with *ended there will be none), BAD_REQUEST without a stream, or why
   the stream failed, once all is read.
   *ready: the index after that of the last window so far. *ended: there will be no more than that. */
int32_t eiq_stream_read(struct eiq_stream *stream, uint32_t window, const struct eiq_result **result, uint32_t *ready,
                        int *ended);
#endif
