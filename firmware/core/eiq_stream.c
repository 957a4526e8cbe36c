/* See eiq_stream.h. */
#include "eiq_stream.h"
#include <string.h>
#include "eiq_crc.h"
#include "eiq_rpc.h"
#include "eiq_server.h"

#define MOST_HOP (1u << 30) /* sample indices wrap, and are compared by their differences */

static uint32_t bands_of(const struct eiq_mfcc *mfcc)
{
    return mfcc->coefficients ? mfcc->coefficients : mfcc->mels;
}

static uint32_t size_of(uint8_t dtype)
{
    switch (dtype) {
    case EIQ_DTYPE_INT8:
    case EIQ_DTYPE_UINT8: return 1;
    case EIQ_DTYPE_INT16: return 2;
    case EIQ_DTYPE_FLOAT32: return 4;
    default: return 0;
    }
}

/* The features are the model's only input, and there is memory for them. */
static int takes_features(const struct eiq_model *model)
{
    const struct eiq_mfcc *mfcc;
    uint32_t values;
    if (!model->features || model->inputs != 1) return 0;
    mfcc = model->features->mfcc;
    values = mfcc->frames * bands_of(mfcc);
    return model->tensors[0].bytes == values * size_of(model->tensors[0].dtype) && values <= EIQ_FEATURE_VALUES &&
           mfcc->window <= EIQ_FEATURE_SAMPLES && mfcc->fft <= EIQ_FEATURE_POINTS &&
           model->input_bytes <= EIQ_RESULT_BYTES && model->output_bytes <= EIQ_RESULT_BYTES;
}

static int is_sound(const struct eiq_sensor *sensor, float rate_hz)
{
    return sensor->kind == EIQ_SENSOR_MICROPHONE && sensor->dtype == EIQ_DTYPE_INT16 && sensor->channels == 1 &&
           !(sensor->rate_hz < rate_hz) && !(sensor->rate_hz > rate_hz);
}

static void begin_window(struct eiq_stream *stream)
{
    stream->noticed = 0;
    stream->feature_ticks = 0;
}

int32_t eiq_stream_start(struct eiq_stream *stream, const struct eiq_port *port, uint32_t sensor, uint32_t model,
                         uint32_t hop, int fast, int features_only)
{
    const struct eiq_sensor *source;
    eiq_stream_stop(stream);
    if (sensor >= port->sensor_count) return EIQ_STATUS_NO_SUCH_SENSOR;
    if (model >= eiq_model_count) return EIQ_STATUS_NO_SUCH_MODEL;
    if (!takes_features(&eiq_models[model])) return EIQ_STATUS_NO_FEATURES;
    source = &port->sensors[sensor];
    if (!hop || hop > MOST_HOP || !is_sound(source, eiq_models[model].features->rate_hz)) return EIQ_STATUS_BAD_REQUEST;
    if (source->start(source->user, fast)) return EIQ_STATUS_SENSOR_FAILED;
    stream->port = port;
    stream->sensor = source;
    stream->model = &eiq_models[model];
    stream->source = sensor;
    stream->index = model;
    stream->hop = hop;
    stream->status = EIQ_STATUS_OK;
    stream->fast = fast != 0;
    stream->features_only = features_only != 0;
    stream->ended = source->samples && source->samples < stream->model->features->length;
    stream->started = port->ticks(port->user);
    stream->window = stream->base = stream->head = stream->done = stream->first = stream->count = 0;
    begin_window(stream);
    return EIQ_STATUS_OK;
}

void eiq_stream_stop(struct eiq_stream *stream)
{
    stream->sensor = NULL;
}

static uint64_t now(const struct eiq_stream *stream)
{
    return stream->port->ticks(stream->port->user);
}

static uint64_t ticks_of(const struct eiq_stream *stream, uint32_t samples)
{
    return (uint64_t)((double)samples * stream->port->tick_hz / (double)stream->sensor->rate_hz);
}

/* When the window's last sample was there: a recording that keeps its time says so itself, a real sensor by how much
   more has come since. */
static void notice(struct eiq_stream *stream, uint32_t ready)
{
    const uint32_t end = stream->base + stream->model->features->length, since = ready - end;
    if (stream->noticed || (int32_t)since < 0) return;
    stream->noticed = 1;
    if (!stream->sensor->samples)
        stream->ticks = now(stream) - ticks_of(stream, since);
    else if (stream->fast)
        stream->ticks = now(stream);
    else
        stream->ticks = stream->started + ticks_of(stream, end);
}

/* Samples before "at" are lost: the next window of the grid that has all of its own. */
static void resume(struct eiq_stream *stream, uint32_t at)
{
    const uint32_t windows = (at - stream->base + stream->hop - 1) / stream->hop;
    stream->window += windows;
    stream->base += windows * stream->hop;
    stream->head = stream->done = 0;
    begin_window(stream);
}

/* The window's next analysis frame, where its samples are there. */
static int compute_frame(struct eiq_stream *stream, uint32_t ready)
{
    const struct eiq_mfcc *mfcc = stream->model->features->mfcc;
    const uint32_t start = stream->base + stream->done * mfcc->hop;
    uint32_t at = start, count, row;
    uint64_t began;
    if ((int32_t)(ready - (start + mfcc->window)) < 0) return 0;
    began = now(stream);
    count = stream->sensor->read(stream->sensor->user, &at, mfcc->window, stream->samples);
    if (at != start) {
        resume(stream, at);
        return 1;
    }
    if (count != mfcc->window) {
        stream->status = EIQ_STATUS_SENSOR_FAILED;
        return 0;
    }
    row = (stream->head + stream->done) % mfcc->frames;
    eiq_mfcc_frame(mfcc, stream->samples, stream->rows + row * bands_of(mfcc), stream->scratch);
    stream->done++;
    stream->feature_ticks += (uint32_t)(now(stream) - began);
    return 1;
}

/* stored = saturate(round(real / scale) + zero_point) as pipelines/quantise.py has it: half away from zero, by adding the
   number just below one half. */
static int32_t quantised(float real, float scale, float zero_point, float lowest, float highest)
{
    const float half = 0x1.fffffep-2f;
    real /= scale;
    real += real < 0.0f ? -half : half;
    if (real < lowest) real = lowest;
    if (real > highest) real = highest;
    return (int32_t)((float)(int32_t)real + zero_point);
}

/* A row of features as the model's input tensor stores them. */
static void store(const struct eiq_tensor *tensor, const float *row, uint32_t count, uint8_t *out)
{
    const float zero_point = (float)tensor->zero_point, scale = tensor->scale > 0.0f ? tensor->scale : 1.0f;
    float least = -128.0f, most = 127.0f;
    uint32_t i;
    if (tensor->dtype == EIQ_DTYPE_FLOAT32) {
        memcpy(out, row, count * sizeof *row);
        return;
    }
    if (tensor->dtype == EIQ_DTYPE_UINT8) least = 0.0f, most = 255.0f;
    if (tensor->dtype == EIQ_DTYPE_INT16) least = -32768.0f, most = 32767.0f;
    for (i = 0; i < count; i++) {
        const int32_t stored = quantised(row[i], scale, zero_point, least - zero_point, most - zero_point);
        *out++ = (uint8_t)((uint32_t)stored & 0xffu);
        if (tensor->dtype == EIQ_DTYPE_INT16) *out++ = (uint8_t)((uint32_t)stored >> 8 & 0xffu);
    }
}

static void store_features(struct eiq_stream *stream, uint8_t *out)
{
    const struct eiq_mfcc *mfcc = stream->model->features->mfcc;
    const struct eiq_tensor *tensor = stream->model->tensors;
    const uint32_t bands = bands_of(mfcc), bytes = bands * size_of(tensor->dtype);
    const uint64_t began = now(stream);
    uint32_t i;
    for (i = 0; i < mfcc->frames; i++)
        store(tensor, stream->rows + (stream->head + i) % mfcc->frames * bands, bands, out + i * bytes);
    stream->feature_ticks += (uint32_t)(now(stream) - began);
}

static void copy_outputs(const struct eiq_model *model, uint8_t *out)
{
    const struct eiq_tensor *tensor = model->tensors + model->inputs, *stop = tensor + model->outputs;
    for (; tensor < stop; tensor++) memcpy(out + tensor->place, eiq_mutable_memory + tensor->address, tensor->bytes);
}

/* The model's memory is shared with all calls: its input is written right before it runs. */
static int compute_result(struct eiq_stream *stream, struct eiq_server *server, struct eiq_result *result)
{
    const struct eiq_model *model = stream->model;
    result->window = stream->window;
    result->ticks = stream->ticks;
    result->inference_ticks = 0;
    result->bytes = stream->features_only ? model->input_bytes : model->output_bytes;
    if (stream->features_only) {
        store_features(stream, result->data);
    } else {
        store_features(stream, eiq_mutable_memory + model->tensors[0].address);
        if (eiq_server_run(server, stream->index, &result->inference_ticks)) return 0;
        copy_outputs(model, result->data);
    }
    result->feature_ticks = stream->feature_ticks;
    return 1;
}

/* The next window, with those of its frames that are there already. */
static void advance(struct eiq_stream *stream)
{
    const struct eiq_window *features = stream->model->features;
    const uint32_t frames = features->mfcc->frames, moved = stream->hop / features->mfcc->hop;
    const int shared = stream->hop % features->mfcc->hop == 0 && moved < frames;
    if (stream->sensor->samples) /* of which this window's were there: no difference wraps */
        stream->ended = stream->sensor->samples - stream->base < (uint64_t)stream->hop + features->length;
    stream->head = shared ? (stream->head + moved) % frames : 0;
    stream->done = shared ? frames - moved : 0;
    stream->window++;
    stream->base += stream->hop;
    begin_window(stream);
}

static void forget_oldest(struct eiq_stream *stream)
{
    stream->first = (stream->first + 1) % EIQ_STREAM_RESULTS;
    stream->count--;
}

int eiq_stream_step(struct eiq_stream *stream, struct eiq_server *server)
{
    uint32_t ready;
    if (!stream->sensor || stream->status != EIQ_STATUS_OK || stream->ended) return 0;
    ready = stream->sensor->ready(stream->sensor->user);
    notice(stream, ready);
    if (stream->done < stream->model->features->mfcc->frames) return compute_frame(stream, ready);
    if (!stream->noticed) return 0; /* the last frame need not reach the window's end */
    if (stream->count == EIQ_STREAM_RESULTS) {
        if (stream->sensor->samples) return 0;
        forget_oldest(stream);
    }
    if (!compute_result(stream, server, &stream->results[(stream->first + stream->count) % EIQ_STREAM_RESULTS])) {
        stream->status = EIQ_STATUS_MODEL_FAILED;
        return 0;
    }
    stream->count++;
    advance(stream);
    return 1;
}

uint32_t eiq_stream_check(const struct eiq_stream *stream)
{
    uint32_t crc = eiq_crc32_uint32(EIQ_CRC32_START, stream->source);
    crc = eiq_crc32_uint32(eiq_crc32_uint32(crc, stream->index), stream->hop);
    return eiq_crc32_uint32(eiq_crc32_uint32(crc, stream->fast), stream->features_only);
}

int32_t eiq_stream_read(struct eiq_stream *stream, uint32_t window, const struct eiq_result **result, uint32_t *ready,
                        int *ended)
{
    *result = NULL;
    *ready = 0;
    *ended = 0;
    if (!stream->sensor) return EIQ_STATUS_BAD_REQUEST;
    while (stream->count && stream->results[stream->first].window < window) forget_oldest(stream);
    *ready = stream->window;
    *ended = stream->ended;
    if (stream->count) {
        *result = &stream->results[stream->first];
        return EIQ_STATUS_OK;
    }
    return stream->status == EIQ_STATUS_OK ? EIQ_STATUS_NOT_READY : stream->status;
}
