/* Generated from eiq.erpc: run python -m hal.rt.idl. */
#include "eiq_rpc.h"

static void put_board_info(struct eiq_writer *w, const struct eiq_board_info *v)
{
    eiq_put_uint32(w, v->protocol);
    eiq_put_uint32(w, v->interface_crc);
    eiq_put_uint32(w, v->max_frame);
    eiq_put_uint32(w, v->rx_buffer);
    eiq_put_uint32(w, v->tick_hz);
    eiq_put_uint32(w, v->models);
    eiq_put_uint32(w, v->sensors);
    eiq_put_uint32(w, v->leds);
    eiq_put_string(w, v->board);
    eiq_put_string(w, v->clock);
    eiq_put_string(w, v->build);
}

static void put_model_info(struct eiq_writer *w, const struct eiq_model_info *v)
{
    eiq_put_string(w, v->name);
    eiq_put_binary(w, v->sha256);
    eiq_put_binary(w, v->recipe);
    eiq_put_uint32(w, v->inputs);
    eiq_put_uint32(w, v->outputs);
    eiq_put_uint32(w, v->input_bytes);
    eiq_put_uint32(w, v->output_bytes);
    eiq_put_uint32(w, v->constant_bytes);
    eiq_put_uint32(w, v->mutable_bytes);
    eiq_put_uint32(w, v->activation_bytes);
}

static void put_tensor_info(struct eiq_writer *w, const struct eiq_tensor_info *v)
{
    eiq_put_string(w, v->name);
    eiq_put_int32(w, v->dtype);
    eiq_put_uint32(w, v->shape_count);
    for (uint32_t i = 0; i < v->shape_count; i++) {
        eiq_put_uint32(w, v->shape[i]);
    }
    eiq_put_float(w, v->scale);
    eiq_put_int32(w, v->zero_point);
    eiq_put_uint32(w, v->place);
    eiq_put_uint32(w, v->bytes);
}

static void put_inference(struct eiq_writer *w, const struct eiq_inference *v)
{
    eiq_put_uint32(w, v->ticks);
    eiq_put_uint32(w, v->check);
    eiq_put_uint32(w, v->missing_count);
    for (uint32_t i = 0; i < v->missing_count; i++) {
        eiq_put_uint32(w, v->missing[i]);
    }
    eiq_put_binary(w, v->output);
}

static void put_sensor_info(struct eiq_writer *w, const struct eiq_sensor_info *v)
{
    eiq_put_int32(w, v->kind);
    eiq_put_int32(w, v->dtype);
    eiq_put_float(w, v->rate_hz);
    eiq_put_float(w, v->scale);
    eiq_put_string(w, v->channels);
    eiq_put_uint32(w, v->samples);
}

static void put_samples(struct eiq_writer *w, const struct eiq_samples *v)
{
    eiq_put_uint32(w, v->at);
    eiq_put_uint32(w, v->ready);
    eiq_put_bool(w, v->ended);
    eiq_put_uint64(w, v->ticks);
    eiq_put_uint32(w, v->check);
    eiq_put_binary(w, v->data);
}

static void put_stream_result(struct eiq_writer *w, const struct eiq_stream_result *v)
{
    eiq_put_uint32(w, v->window);
    eiq_put_uint32(w, v->ready);
    eiq_put_bool(w, v->ended);
    eiq_put_uint64(w, v->ticks);
    eiq_put_uint32(w, v->feature_ticks);
    eiq_put_uint32(w, v->inference_ticks);
    eiq_put_uint32(w, v->check);
    eiq_put_uint32(w, v->bytes);
    eiq_put_binary(w, v->data);
}

static void put_memory_info(struct eiq_writer *w, const struct eiq_memory_info *v)
{
    eiq_put_uint32(w, v->stack_bytes);
    eiq_put_uint32(w, v->stack_used);
    eiq_put_uint32(w, v->frames);
    eiq_put_uint32(w, v->bad_frames);
    eiq_put_uint32(w, v->overruns);
    eiq_put_uint32(w, v->uptime_ms);
}

void eiq_put_hello(struct eiq_writer *w, const struct eiq_board_info *info, int32_t returned)
{
    put_board_info(w, info);
    eiq_put_int32(w, returned);
}

void eiq_put_describe_model(struct eiq_writer *w, const struct eiq_model_info *info, int32_t returned)
{
    put_model_info(w, info);
    eiq_put_int32(w, returned);
}

void eiq_put_describe_tensor(struct eiq_writer *w, const struct eiq_tensor_info *info, int32_t returned)
{
    put_tensor_info(w, info);
    eiq_put_int32(w, returned);
}

void eiq_put_infer(struct eiq_writer *w, const struct eiq_inference *result, int32_t returned)
{
    put_inference(w, result);
    eiq_put_int32(w, returned);
}

void eiq_put_read_output(struct eiq_writer *w, struct eiq_bytes data, int32_t returned)
{
    eiq_put_binary(w, data);
    eiq_put_int32(w, returned);
}

void eiq_put_describe_sensor(struct eiq_writer *w, const struct eiq_sensor_info *info, int32_t returned)
{
    put_sensor_info(w, info);
    eiq_put_int32(w, returned);
}

void eiq_put_start_sensor(struct eiq_writer *w, int32_t returned)
{
    eiq_put_int32(w, returned);
}

void eiq_put_read_sensor(struct eiq_writer *w, const struct eiq_samples *result, int32_t returned)
{
    put_samples(w, result);
    eiq_put_int32(w, returned);
}

void eiq_put_start_stream(struct eiq_writer *w, int32_t returned)
{
    eiq_put_int32(w, returned);
}

void eiq_put_read_stream(struct eiq_writer *w, const struct eiq_stream_result *result, int32_t returned)
{
    put_stream_result(w, result);
    eiq_put_int32(w, returned);
}

void eiq_put_set_led(struct eiq_writer *w, int32_t returned)
{
    eiq_put_int32(w, returned);
}

void eiq_put_memory(struct eiq_writer *w, const struct eiq_memory_info *info, int32_t returned)
{
    put_memory_info(w, info);
    eiq_put_int32(w, returned);
}

void eiq_put_time(struct eiq_writer *w, uint64_t ticks, int32_t returned)
{
    eiq_put_uint64(w, ticks);
    eiq_put_int32(w, returned);
}

void eiq_put_reset(struct eiq_writer *w, int32_t returned)
{
    eiq_put_int32(w, returned);
}

void eiq_put_fault(struct eiq_writer *w, uint32_t service, uint32_t method, int32_t returned)
{
    eiq_put_uint32(w, service);
    eiq_put_uint32(w, method);
    eiq_put_int32(w, returned);
}

static enum eiq_dispatch call_hello(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_hello_in in;
    struct eiq_board_info info;
    int32_t returned;
    in.protocol = eiq_get_uint32(r);
    in.interface_crc = eiq_get_uint32(r);
    in.session = eiq_get_uint32(r);
    in.max_frame = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&info, 0, sizeof info);
    returned = eiq_on_hello(server, &in, &info);
    eiq_put_hello(w, &info, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_describe_model(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_describe_model_in in;
    struct eiq_model_info info;
    int32_t returned;
    in.model = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&info, 0, sizeof info);
    returned = eiq_on_describe_model(server, &in, &info);
    eiq_put_describe_model(w, &info, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_describe_tensor(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_describe_tensor_in in;
    struct eiq_tensor_info info;
    int32_t returned;
    in.model = eiq_get_uint32(r);
    in.tensor = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&info, 0, sizeof info);
    returned = eiq_on_describe_tensor(server, &in, &info);
    eiq_put_describe_tensor(w, &info, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_write_input(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_write_input_in in;
    in.session = eiq_get_uint32(r);
    in.model = eiq_get_uint32(r);
    in.check = eiq_get_uint32(r);
    in.offset = eiq_get_uint32(r);
    in.data = eiq_get_binary(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    (void)w;
    eiq_on_write_input(server, &in);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_infer(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_infer_in in;
    struct eiq_inference result;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.model = eiq_get_uint32(r);
    in.check = eiq_get_uint32(r);
    in.input = eiq_get_binary(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&result, 0, sizeof result);
    returned = eiq_on_infer(server, &in, &result);
    eiq_put_infer(w, &result, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_read_output(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_read_output_in in;
    struct eiq_bytes data;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.model = eiq_get_uint32(r);
    in.check = eiq_get_uint32(r);
    in.offset = eiq_get_uint32(r);
    in.length = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&data, 0, sizeof data);
    returned = eiq_on_read_output(server, &in, &data);
    eiq_put_read_output(w, data, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_describe_sensor(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_describe_sensor_in in;
    struct eiq_sensor_info info;
    int32_t returned;
    in.sensor = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&info, 0, sizeof info);
    returned = eiq_on_describe_sensor(server, &in, &info);
    eiq_put_describe_sensor(w, &info, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_start_sensor(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_start_sensor_in in;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.sensor = eiq_get_uint32(r);
    in.fast = eiq_get_bool(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    returned = eiq_on_start_sensor(server, &in);
    eiq_put_start_sensor(w, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_read_sensor(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_read_sensor_in in;
    struct eiq_samples result;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.sensor = eiq_get_uint32(r);
    in.at = eiq_get_uint32(r);
    in.samples = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&result, 0, sizeof result);
    returned = eiq_on_read_sensor(server, &in, &result);
    eiq_put_read_sensor(w, &result, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_start_stream(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_start_stream_in in;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.sensor = eiq_get_uint32(r);
    in.model = eiq_get_uint32(r);
    in.hop = eiq_get_uint32(r);
    in.fast = eiq_get_bool(r);
    in.features_only = eiq_get_bool(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    returned = eiq_on_start_stream(server, &in);
    eiq_put_start_stream(w, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_read_stream(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_read_stream_in in;
    struct eiq_stream_result result;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    in.window = eiq_get_uint32(r);
    in.offset = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&result, 0, sizeof result);
    returned = eiq_on_read_stream(server, &in, &result);
    eiq_put_read_stream(w, &result, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_set_led(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_set_led_in in;
    int32_t returned;
    in.led = eiq_get_uint32(r);
    in.on = eiq_get_bool(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    returned = eiq_on_set_led(server, &in);
    eiq_put_set_led(w, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_memory(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_memory_info info;
    int32_t returned;
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&info, 0, sizeof info);
    returned = eiq_on_memory(server, &info);
    eiq_put_memory(w, &info, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_time(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    uint64_t ticks;
    int32_t returned;
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    memset(&ticks, 0, sizeof ticks);
    returned = eiq_on_time(server, &ticks);
    eiq_put_time(w, ticks, returned);
    return EIQ_DISPATCH_DONE;
}

static enum eiq_dispatch call_reset(struct eiq_server *server, struct eiq_reader *r, struct eiq_writer *w)
{
    struct eiq_reset_in in;
    int32_t returned;
    in.session = eiq_get_uint32(r);
    if (!eiq_reader_done(r)) return EIQ_DISPATCH_BAD_ARGUMENTS;
    returned = eiq_on_reset(server, &in);
    eiq_put_reset(w, returned);
    return EIQ_DISPATCH_DONE;
}

enum eiq_dispatch eiq_dispatch_eiq(struct eiq_server *server, uint32_t method, int oneway,
                                   struct eiq_reader *r, struct eiq_writer *w)
{
    switch (method) {
    case EIQ_METHOD_HELLO:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_hello(server, r, w);
    case EIQ_METHOD_DESCRIBE_MODEL:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_describe_model(server, r, w);
    case EIQ_METHOD_DESCRIBE_TENSOR:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_describe_tensor(server, r, w);
    case EIQ_METHOD_WRITE_INPUT:
        if (!oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_write_input(server, r, w);
    case EIQ_METHOD_INFER:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_infer(server, r, w);
    case EIQ_METHOD_READ_OUTPUT:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_read_output(server, r, w);
    case EIQ_METHOD_DESCRIBE_SENSOR:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_describe_sensor(server, r, w);
    case EIQ_METHOD_START_SENSOR:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_start_sensor(server, r, w);
    case EIQ_METHOD_READ_SENSOR:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_read_sensor(server, r, w);
    case EIQ_METHOD_START_STREAM:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_start_stream(server, r, w);
    case EIQ_METHOD_READ_STREAM:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_read_stream(server, r, w);
    case EIQ_METHOD_SET_LED:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_set_led(server, r, w);
    case EIQ_METHOD_MEMORY:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_memory(server, r, w);
    case EIQ_METHOD_TIME:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_time(server, r, w);
    case EIQ_METHOD_RESET:
        if (oneway) return EIQ_DISPATCH_BAD_ARGUMENTS;
        return call_reset(server, r, w);
    default:
        return EIQ_DISPATCH_NO_METHOD;
    }
}
