/* Generated from eiq.erpc: run python -m hal.rt.idl. */
#ifndef EIQ_RPC_H
#define EIQ_RPC_H
#include "eiq_codec.h"

struct eiq_server;

#define EIQ_PROTOCOL 1u
#define EIQ_INTERFACE 0x3AFF3415u
#define EIQ_SERVICE_EIQ 1u
#define EIQ_METHOD_HELLO 1u
#define EIQ_METHOD_DESCRIBE_MODEL 2u
#define EIQ_METHOD_DESCRIBE_TENSOR 3u
#define EIQ_METHOD_WRITE_INPUT 4u
#define EIQ_METHOD_INFER 5u
#define EIQ_METHOD_READ_OUTPUT 6u
#define EIQ_METHOD_DESCRIBE_SENSOR 7u
#define EIQ_METHOD_START_SENSOR 8u
#define EIQ_METHOD_READ_SENSOR 9u
#define EIQ_METHOD_START_STREAM 10u
#define EIQ_METHOD_READ_STREAM 11u
#define EIQ_METHOD_SET_LED 12u
#define EIQ_METHOD_MEMORY 13u
#define EIQ_METHOD_TIME 14u
#define EIQ_METHOD_RESET 15u
#define EIQ_SERVICE_FAULT 255u
#define EIQ_METHOD_FAULT 1u

/* Bytes of the messages that hold a binary, without what varies. */
#define EIQ_DESCRIBE_MODEL_REPLY_BYTES 52u
#define EIQ_WRITE_INPUT_REQUEST_BYTES 28u
#define EIQ_INFER_REQUEST_BYTES 24u
#define EIQ_INFER_REPLY_BYTES 28u
#define EIQ_READ_OUTPUT_REPLY_BYTES 16u
#define EIQ_READ_SENSOR_REPLY_BYTES 37u
#define EIQ_READ_STREAM_REPLY_BYTES 49u

enum eiq_status {
    EIQ_STATUS_OK = 0,
    EIQ_STATUS_BAD_REQUEST = 1,
    EIQ_STATUS_UNKNOWN_SERVICE = 2,
    EIQ_STATUS_UNKNOWN_METHOD = 3,
    EIQ_STATUS_TOO_LARGE = 4,
    EIQ_STATUS_VERSION = 5,
    EIQ_STATUS_NO_SESSION = 6,
    EIQ_STATUS_NO_SUCH_MODEL = 7,
    EIQ_STATUS_NO_SUCH_TENSOR = 8,
    EIQ_STATUS_NO_SUCH_SENSOR = 9,
    EIQ_STATUS_NO_SUCH_LED = 10,
    EIQ_STATUS_INCOMPLETE = 11,
    EIQ_STATUS_CORRUPT = 12,
    EIQ_STATUS_MODEL_FAILED = 13,
    EIQ_STATUS_NO_FEATURES = 14,
    EIQ_STATUS_SENSOR_FAILED = 15,
    EIQ_STATUS_NOT_READY = 16
};

enum eiq_dtype {
    EIQ_DTYPE_INT8 = 0,
    EIQ_DTYPE_UINT8 = 1,
    EIQ_DTYPE_INT16 = 2,
    EIQ_DTYPE_INT32 = 3,
    EIQ_DTYPE_FLOAT32 = 4,
    EIQ_DTYPE_BOOL = 5
};

enum eiq_sensor_kind {
    EIQ_SENSOR_MOTION = 0,
    EIQ_SENSOR_MICROPHONE = 1
};

struct eiq_board_info {
    uint32_t protocol;
    uint32_t interface_crc;
    uint32_t max_frame;
    uint32_t rx_buffer;
    uint32_t tick_hz;
    uint32_t models;
    uint32_t sensors;
    uint32_t leds;
    const char *board;
    const char *clock;
    const char *build;
};

struct eiq_model_info {
    const char *name;
    struct eiq_bytes sha256;
    struct eiq_bytes recipe;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t input_bytes;
    uint32_t output_bytes;
    uint32_t constant_bytes;
    uint32_t mutable_bytes;
    uint32_t activation_bytes;
};

struct eiq_tensor_info {
    const char *name;
    int32_t dtype;
    const uint32_t *shape;
    uint32_t shape_count;
    float scale;
    int32_t zero_point;
    uint32_t place;
    uint32_t bytes;
};

struct eiq_inference {
    uint32_t ticks;
    uint32_t check;
    const uint32_t *missing;
    uint32_t missing_count;
    struct eiq_bytes output;
};

struct eiq_sensor_info {
    int32_t kind;
    int32_t dtype;
    float rate_hz;
    float scale;
    const char *channels;
    uint32_t samples;
};

struct eiq_samples {
    uint32_t at;
    uint32_t ready;
    uint8_t ended;
    uint64_t ticks;
    uint32_t check;
    struct eiq_bytes data;
};

struct eiq_stream_result {
    uint32_t window;
    uint32_t ready;
    uint8_t ended;
    uint64_t ticks;
    uint32_t feature_ticks;
    uint32_t inference_ticks;
    uint32_t check;
    uint32_t bytes;
    struct eiq_bytes data;
};

struct eiq_memory_info {
    uint32_t stack_bytes;
    uint32_t stack_used;
    uint32_t frames;
    uint32_t bad_frames;
    uint32_t overruns;
    uint32_t uptime_ms;
};

struct eiq_hello_in {
    uint32_t protocol;
    uint32_t interface_crc;
    uint32_t session;
    uint32_t max_frame;
};

struct eiq_describe_model_in {
    uint32_t model;
};

struct eiq_describe_tensor_in {
    uint32_t model;
    uint32_t tensor;
};

struct eiq_write_input_in {
    uint32_t session;
    uint32_t model;
    uint32_t check;
    uint32_t offset;
    struct eiq_bytes data;
};

struct eiq_infer_in {
    uint32_t session;
    uint32_t model;
    uint32_t check;
    struct eiq_bytes input;
};

struct eiq_read_output_in {
    uint32_t session;
    uint32_t model;
    uint32_t check;
    uint32_t offset;
    uint32_t length;
};

struct eiq_describe_sensor_in {
    uint32_t sensor;
};

struct eiq_start_sensor_in {
    uint32_t session;
    uint32_t sensor;
    uint8_t fast;
};

struct eiq_read_sensor_in {
    uint32_t session;
    uint32_t sensor;
    uint32_t at;
    uint32_t samples;
};

struct eiq_start_stream_in {
    uint32_t session;
    uint32_t sensor;
    uint32_t model;
    uint32_t hop;
    uint8_t fast;
    uint8_t features_only;
};

struct eiq_read_stream_in {
    uint32_t session;
    uint32_t window;
    uint32_t offset;
};

struct eiq_set_led_in {
    uint32_t led;
    uint8_t on;
};

struct eiq_reset_in {
    uint32_t session;
};

/* What the firmware does at a call. */
int32_t eiq_on_hello(struct eiq_server *server, const struct eiq_hello_in *in, struct eiq_board_info *info);
int32_t eiq_on_describe_model(struct eiq_server *server, const struct eiq_describe_model_in *in, struct eiq_model_info *info);
int32_t eiq_on_describe_tensor(struct eiq_server *server, const struct eiq_describe_tensor_in *in, struct eiq_tensor_info *info);
void eiq_on_write_input(struct eiq_server *server, const struct eiq_write_input_in *in);
int32_t eiq_on_infer(struct eiq_server *server, const struct eiq_infer_in *in, struct eiq_inference *result);
int32_t eiq_on_read_output(struct eiq_server *server, const struct eiq_read_output_in *in, struct eiq_bytes *data);
int32_t eiq_on_describe_sensor(struct eiq_server *server, const struct eiq_describe_sensor_in *in, struct eiq_sensor_info *info);
int32_t eiq_on_start_sensor(struct eiq_server *server, const struct eiq_start_sensor_in *in);
int32_t eiq_on_read_sensor(struct eiq_server *server, const struct eiq_read_sensor_in *in, struct eiq_samples *result);
int32_t eiq_on_start_stream(struct eiq_server *server, const struct eiq_start_stream_in *in);
int32_t eiq_on_read_stream(struct eiq_server *server, const struct eiq_read_stream_in *in, struct eiq_stream_result *result);
int32_t eiq_on_set_led(struct eiq_server *server, const struct eiq_set_led_in *in);
int32_t eiq_on_memory(struct eiq_server *server, struct eiq_memory_info *info);
int32_t eiq_on_time(struct eiq_server *server, uint64_t *ticks);
int32_t eiq_on_reset(struct eiq_server *server, const struct eiq_reset_in *in);

/* The arguments of a reply. */
void eiq_put_hello(struct eiq_writer *w, const struct eiq_board_info *info, int32_t returned);
void eiq_put_describe_model(struct eiq_writer *w, const struct eiq_model_info *info, int32_t returned);
void eiq_put_describe_tensor(struct eiq_writer *w, const struct eiq_tensor_info *info, int32_t returned);
void eiq_put_infer(struct eiq_writer *w, const struct eiq_inference *result, int32_t returned);
void eiq_put_read_output(struct eiq_writer *w, struct eiq_bytes data, int32_t returned);
void eiq_put_describe_sensor(struct eiq_writer *w, const struct eiq_sensor_info *info, int32_t returned);
void eiq_put_start_sensor(struct eiq_writer *w, int32_t returned);
void eiq_put_read_sensor(struct eiq_writer *w, const struct eiq_samples *result, int32_t returned);
void eiq_put_start_stream(struct eiq_writer *w, int32_t returned);
void eiq_put_read_stream(struct eiq_writer *w, const struct eiq_stream_result *result, int32_t returned);
void eiq_put_set_led(struct eiq_writer *w, int32_t returned);
void eiq_put_memory(struct eiq_writer *w, const struct eiq_memory_info *info, int32_t returned);
void eiq_put_time(struct eiq_writer *w, uint64_t ticks, int32_t returned);
void eiq_put_reset(struct eiq_writer *w, int32_t returned);
void eiq_put_fault(struct eiq_writer *w, uint32_t service, uint32_t method, int32_t returned);

/* Decode a request's arguments, call its handler, and encode the reply's arguments. */
enum eiq_dispatch { EIQ_DISPATCH_DONE, EIQ_DISPATCH_NO_METHOD, EIQ_DISPATCH_BAD_ARGUMENTS };
enum eiq_dispatch eiq_dispatch_eiq(struct eiq_server *server, uint32_t method, int oneway,
                                   struct eiq_reader *r, struct eiq_writer *w);
#endif
