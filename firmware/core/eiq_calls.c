/* What each call of eiq.erpc does. */
#include <string.h>
#include "eiq_crc.h"
#include "eiq_server.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int in_session(const struct eiq_server *server, uint32_t session)
{
    return server->has_session && server->session == session;
}

static void forget(struct eiq_server *server)
{
    server->staging.parts.count = 0;
    server->done.valid = 0;
    server->sensors = 0;
    server->has_start = 0;
    eiq_stream_stop(&server->stream);
}

int32_t eiq_on_hello(struct eiq_server *server, const struct eiq_hello_in *in, struct eiq_board_info *info)
{
    const struct eiq_port *port = server->port;
    info->protocol = EIQ_PROTOCOL;
    info->interface_crc = EIQ_INTERFACE;
    info->max_frame = least(in->max_frame, EIQ_MAX_FRAME);
    info->rx_buffer = port->rx_buffer;
    info->tick_hz = port->tick_hz;
    info->models = eiq_model_count;
    info->sensors = least(port->sensor_count, EIQ_MAX_SENSORS);
    info->leds = port->leds;
    info->board = port->board;
    info->clock = port->clock;
    info->build = port->build;
    if (in->protocol != EIQ_PROTOCOL || in->interface_crc != EIQ_INTERFACE) return EIQ_STATUS_VERSION;
    if (in->max_frame < EIQ_MIN_FRAME) return EIQ_STATUS_BAD_REQUEST;
    if (!in_session(server, in->session)) forget(server); /* else it is the same hello once more */
    server->has_session = 1;
    server->session = in->session;
    server->frame = info->max_frame;
    return EIQ_STATUS_OK;
}

int32_t eiq_on_describe_model(struct eiq_server *server, const struct eiq_describe_model_in *in,
                              struct eiq_model_info *info)
{
    static const uint8_t none[8];
    const struct eiq_model *m;
    (void)server;
    info->name = "";
    if (in->model >= eiq_model_count) return EIQ_STATUS_NO_SUCH_MODEL;
    m = &eiq_models[in->model];
    info->name = m->name;
    info->sha256.data = m->sha256;
    info->sha256.size = sizeof m->sha256;
    info->recipe.data = m->recipe;
    info->recipe.size = memcmp(m->recipe, none, sizeof none) ? sizeof none : 0;
    info->inputs = m->inputs;
    info->outputs = m->outputs;
    info->input_bytes = m->input_bytes;
    info->output_bytes = m->output_bytes;
    info->constant_bytes = m->constant_bytes;
    info->mutable_bytes = m->mutable_bytes;
    info->activation_bytes = m->activation_bytes;
    return EIQ_STATUS_OK;
}

int32_t eiq_on_describe_tensor(struct eiq_server *server, const struct eiq_describe_tensor_in *in,
                               struct eiq_tensor_info *info)
{
    const struct eiq_model *m;
    const struct eiq_tensor *t;
    (void)server;
    info->name = "";
    if (in->model >= eiq_model_count) return EIQ_STATUS_NO_SUCH_MODEL;
    m = &eiq_models[in->model];
    if (in->tensor >= (uint32_t)m->inputs + m->outputs) return EIQ_STATUS_NO_SUCH_TENSOR;
    t = &m->tensors[in->tensor];
    info->name = t->name;
    info->dtype = t->dtype;
    info->shape = t->shape;
    info->shape_count = t->dims;
    info->scale = t->scale;
    info->zero_point = t->zero_point;
    info->place = t->place;
    info->bytes = t->bytes;
    return EIQ_STATUS_OK;
}

/* Note bytes first to end, which may be there already. Returns 0 where there is no room for one more gap. */
static int add_part(struct eiq_parts *parts, uint32_t first, uint32_t end)
{
    uint32_t at = 0, behind;
    while (at < parts->count && parts->run[at].end < first) at++;
    for (behind = at; behind < parts->count && parts->run[behind].first <= end; behind++) {
        if (parts->run[behind].first < first) first = parts->run[behind].first;
        if (parts->run[behind].end > end) end = parts->run[behind].end;
    }
    if (behind == at && parts->count == EIQ_MAX_PARTS) return 0;
    memmove(&parts->run[at + 1], &parts->run[behind], (parts->count - behind) * sizeof parts->run[0]);
    parts->count += at + 1 - behind;
    parts->run[at].first = first;
    parts->run[at].end = end;
    return 1;
}

/* Offsets and lengths of the gaps below size, in turn. Returns how many numbers. */
static uint32_t list_missing(const struct eiq_parts *parts, uint32_t size, uint32_t *missing, uint32_t most)
{
    uint32_t count = 0, from = 0;
    for (uint32_t i = 0; i <= parts->count && count + 2 <= most; i++) {
        const uint32_t to = i < parts->count ? parts->run[i].first : size;
        if (to > from) {
            missing[count++] = from;
            missing[count++] = to - from;
        }
        if (i < parts->count) from = parts->run[i].end;
    }
    return count;
}

static int is_done(const struct eiq_server *server, uint32_t model, uint32_t check)
{
    return server->done.valid && server->done.model == model && server->done.check == check;
}

static int is_staged(const struct eiq_server *server, uint32_t model, uint32_t check)
{
    return server->staging.model == model && server->staging.check == check;
}

void eiq_on_write_input(struct eiq_server *server, const struct eiq_write_input_in *in)
{
    struct eiq_staging *staging = &server->staging;
    if (!in_session(server, in->session) || in->model >= eiq_model_count || !in->data.size) return;
    if (in->offset > eiq_models[in->model].input_bytes) return;
    if (in->data.size > eiq_models[in->model].input_bytes - in->offset) return;
    if (!is_staged(server, in->model, in->check)) {
        /* a late one of the input before must not drive out the next */
        if (staging->parts.count && is_done(server, in->model, in->check)) return;
        staging->model = in->model;
        staging->check = in->check;
        staging->parts.count = 0;
    }
    /* a part that there is no room to note is asked for again, as missing */
    if (!add_part(&staging->parts, in->offset, in->offset + in->data.size)) return;
    memcpy(staging->bytes + in->offset, in->data.data, in->data.size);
}

static void copy_inputs(const struct eiq_model *m, const uint8_t *blob)
{
    for (uint32_t i = 0; i < m->inputs; i++) {
        memcpy(eiq_mutable_memory + m->tensors[i].address, blob + m->tensors[i].place, m->tensors[i].bytes);
    }
}

static void keep_outputs(struct eiq_done *done, const struct eiq_model *m)
{
    const struct eiq_tensor *t = m->tensors + m->inputs;
    uint32_t crc = eiq_crc32_uint32(EIQ_CRC32_START, done->check);
    for (uint32_t i = 0; i < m->outputs; i++) {
        memcpy(done->output + t[i].place, eiq_mutable_memory + t[i].address, t[i].bytes);
    }
    done->bytes = m->output_bytes;
    crc = eiq_crc32_uint32(eiq_crc32_uint32(crc, done->model), done->ticks);
    done->result_check = eiq_crc32(crc, done->output, done->bytes);
    done->valid = 1;
}

static void put_done(const struct eiq_server *server, struct eiq_inference *result)
{
    result->ticks = server->done.ticks;
    result->check = server->done.result_check;
    result->output.data = server->done.output;
    result->output.size = least(server->done.bytes, server->frame - EIQ_INFER_REPLY_BYTES);
}

int32_t eiq_on_infer(struct eiq_server *server, const struct eiq_infer_in *in, struct eiq_inference *result)
{
    struct eiq_done *done = &server->done;
    struct eiq_parts *parts = &server->staging.parts;
    const struct eiq_model *m;
    const uint8_t *blob = in->input.data;
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    if (in->model >= eiq_model_count) return EIQ_STATUS_NO_SUCH_MODEL;
    m = &eiq_models[in->model];
    if (is_done(server, in->model, in->check) && done->sequence == server->sequence) {
        put_done(server, result);
        return EIQ_STATUS_OK;
    }
    if (in->input.size) {
        if (in->input.size != m->input_bytes) return EIQ_STATUS_BAD_REQUEST;
        if (eiq_crc32(EIQ_CRC32_START, blob, m->input_bytes) != in->check) return EIQ_STATUS_CORRUPT;
    } else {
        if (!is_staged(server, in->model, in->check)) parts->count = 0;
        server->staging.model = in->model;
        server->staging.check = in->check;
        blob = server->staging.bytes;
        result->missing = server->missing;
        result->missing_count = list_missing(parts, m->input_bytes, server->missing,
                                             least(2 * EIQ_MAX_MISSING, (server->frame - EIQ_INFER_REPLY_BYTES) / 4u));
        if (result->missing_count) return EIQ_STATUS_INCOMPLETE;
        parts->count = 0; /* whatever comes of it, these bytes are used up */
        if (eiq_crc32(EIQ_CRC32_START, blob, m->input_bytes) != in->check) return EIQ_STATUS_CORRUPT;
    }
    copy_inputs(m, blob);
    done->valid = 0;
    done->model = in->model;
    done->check = in->check;
    done->sequence = server->sequence;
    if (eiq_server_run(server, in->model, &done->ticks)) return EIQ_STATUS_MODEL_FAILED;
    keep_outputs(done, m);
    put_done(server, result);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_read_output(struct eiq_server *server, const struct eiq_read_output_in *in, struct eiq_bytes *data)
{
    const struct eiq_done *done = &server->done;
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    if (in->model >= eiq_model_count) return EIQ_STATUS_NO_SUCH_MODEL;
    if (!is_done(server, in->model, in->check)) return EIQ_STATUS_NOT_READY;
    if (in->offset > done->bytes) return EIQ_STATUS_BAD_REQUEST;
    data->data = done->output + in->offset;
    data->size = least(least(in->length, done->bytes - in->offset), server->frame - EIQ_READ_OUTPUT_REPLY_BYTES);
    return EIQ_STATUS_OK;
}

static const struct eiq_sensor *find_sensor(const struct eiq_server *server, uint32_t sensor)
{
    return sensor < least(server->port->sensor_count, EIQ_MAX_SENSORS) ? &server->port->sensors[sensor] : NULL;
}

int32_t eiq_on_describe_sensor(struct eiq_server *server, const struct eiq_describe_sensor_in *in,
                               struct eiq_sensor_info *info)
{
    const struct eiq_sensor *s = find_sensor(server, in->sensor);
    info->channels = s ? s->names : "";
    if (!s) return EIQ_STATUS_NO_SUCH_SENSOR;
    info->kind = s->kind;
    info->dtype = s->dtype;
    info->rate_hz = s->rate_hz;
    info->scale = s->scale;
    info->samples = s->samples;
    return EIQ_STATUS_OK;
}

/* A frame that comes twice, and the second time late, must not begin a recording again in the middle. */
static int starts_again(const struct eiq_server *server)
{
    return server->has_start && server->start_sequence == server->sequence;
}

static void note_start(struct eiq_server *server, uint32_t sensor)
{
    server->has_start = 1;
    server->start_sequence = server->sequence;
    server->sensors |= (uint32_t)1 << sensor;
}

int32_t eiq_on_start_sensor(struct eiq_server *server, const struct eiq_start_sensor_in *in)
{
    const struct eiq_sensor *s = find_sensor(server, in->sensor);
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    if (!s) return EIQ_STATUS_NO_SUCH_SENSOR;
    if (starts_again(server)) return EIQ_STATUS_OK;
    if (server->stream.sensor == s) eiq_stream_stop(&server->stream);
    if (s->start(s->user, in->fast)) return EIQ_STATUS_SENSOR_FAILED;
    note_start(server, in->sensor);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_read_sensor(struct eiq_server *server, const struct eiq_read_sensor_in *in, struct eiq_samples *result)
{
    const struct eiq_sensor *s = find_sensor(server, in->sensor);
    const struct eiq_port *port = server->port;
    uint32_t bytes, most, crc;
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    if (!s) return EIQ_STATUS_NO_SUCH_SENSOR;
    if (!(server->sensors >> in->sensor & 1u)) return EIQ_STATUS_NOT_READY;
    bytes = s->channels * (s->dtype == EIQ_DTYPE_INT16 ? 2u : 4u);
    most = bytes ? (server->frame - EIQ_READ_SENSOR_REPLY_BYTES) / bytes : 0;
    result->at = in->at;
    result->ready = s->ready(s->user);
    result->ended = s->samples && result->ready >= s->samples;
    result->data.data = (const uint8_t *)server->samples;
    result->data.size = bytes * s->read(s->user, &result->at, least(in->samples, most), server->samples);
    result->ticks = port->ticks(port->user);
    crc = eiq_crc32_uint32(eiq_crc32_uint32(EIQ_CRC32_START, in->sensor), result->at);
    crc = eiq_crc32_uint32(eiq_crc32_uint32(crc, result->ready), result->ended);
    result->check = eiq_crc32(eiq_crc32_uint64(crc, result->ticks), result->data.data, result->data.size);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_start_stream(struct eiq_server *server, const struct eiq_start_stream_in *in)
{
    int32_t status;
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    if (in->sensor >= EIQ_MAX_SENSORS) return EIQ_STATUS_NO_SUCH_SENSOR;
    if (starts_again(server)) return EIQ_STATUS_OK;
    status = eiq_stream_start(&server->stream, server->port, in->sensor, in->model, in->hop, in->fast,
                              in->features_only);
    if (status == EIQ_STATUS_OK) note_start(server, in->sensor);
    return status;
}

int32_t eiq_on_read_stream(struct eiq_server *server, const struct eiq_read_stream_in *in,
                           struct eiq_stream_result *result)
{
    const struct eiq_result *found = NULL;
    uint32_t crc;
    int ended = 0;
    int32_t status;
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    status = eiq_stream_read(&server->stream, in->window, &found, &result->ready, &ended);
    result->window = in->window;
    result->ended = ended != 0;
    if (found) {
        if (in->offset > found->bytes) return EIQ_STATUS_BAD_REQUEST;
        result->window = found->window;
        result->ticks = found->ticks;
        result->feature_ticks = found->feature_ticks;
        result->inference_ticks = found->inference_ticks;
        result->bytes = found->bytes;
        result->data.data = found->data + in->offset;
        result->data.size = least(found->bytes - in->offset, server->frame - EIQ_READ_STREAM_REPLY_BYTES);
    }
    crc = eiq_stream_check(&server->stream);
    crc = eiq_crc32_uint32(eiq_crc32_uint32(crc, result->window), result->ready);
    crc = eiq_crc32_uint64(eiq_crc32_uint32(crc, result->ended), result->ticks);
    crc = eiq_crc32_uint32(eiq_crc32_uint32(crc, result->feature_ticks), result->inference_ticks);
    result->check = found ? eiq_crc32(crc, found->data, found->bytes) : crc;
    return status;
}

int32_t eiq_on_set_led(struct eiq_server *server, const struct eiq_set_led_in *in)
{
    if (in->led >= server->port->leds) return EIQ_STATUS_NO_SUCH_LED;
    server->port->led(server->port->user, in->led, in->on);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_memory(struct eiq_server *server, struct eiq_memory_info *info)
{
    const struct eiq_port *port = server->port;
    port->stack(port->user, &info->stack_bytes, &info->stack_used);
    info->frames = server->decoder.good;
    info->bad_frames = server->decoder.bad;
    info->overruns = port->overruns(port->user);
    info->uptime_ms = (uint32_t)(port->ticks(port->user) * 1000u / port->tick_hz);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_time(struct eiq_server *server, uint64_t *ticks)
{
    *ticks = server->port->ticks(server->port->user);
    return EIQ_STATUS_OK;
}

int32_t eiq_on_reset(struct eiq_server *server, const struct eiq_reset_in *in)
{
    if (!in_session(server, in->session)) return EIQ_STATUS_NO_SESSION;
    server->resets = 1; /* once the reply is out */
    return EIQ_STATUS_OK;
}
