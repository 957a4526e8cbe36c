/* The firmware's core: one of these and a port are a board. */
#ifndef EIQ_SERVER_H
#define EIQ_SERVER_H
#include <stdint.h>
#include "eiq_config.h"
#include "eiq_frame.h"
#include "eiq_model.h"
#include "eiq_port.h"
#include "eiq_rpc.h"
#include "eiq_stream.h"

/* Which bytes of an input are there: runs from first to end, in order, with gaps between them. */
struct eiq_parts {
    uint32_t count;
    struct {
        uint32_t first, end;
    } run[EIQ_MAX_PARTS];
};

/* The next input, apart from the models' memory: it comes while another one is computed. */
struct eiq_staging {
    uint32_t model, check;
    struct eiq_parts parts;
    uint8_t bytes[EIQ_INPUT_BYTES];
};

/* What the last inference gave. */
struct eiq_done {
    int valid;
    uint32_t model, check; /* of the input */
    uint32_t sequence;     /* of the request: that one once more is answered from here, another one is computed */
    uint32_t ticks, result_check, bytes;
    uint8_t output[EIQ_OUTPUT_BYTES];
};

struct eiq_server {
    const struct eiq_port *port;
    uint64_t heard; /* when the last bytes came */
    int has_session, resets;
    uint32_t session, frame; /* the host's number; bytes of a message that it takes */
    uint32_t sequence;       /* of the request that is answered */
    int has_start;
    uint32_t start_sequence; /* of the last start of a sensor or stream: that frame once more starts nothing */
    uint32_t sensors;        /* bits: started in this session */
    struct eiq_staging staging;
    struct eiq_done done;
    struct eiq_stream stream;
    struct eiq_decoder decoder;
    uint32_t missing[2 * EIQ_MAX_MISSING];
    uint32_t samples[EIQ_MAX_FRAME / 4];
    uint8_t reply[EIQ_HEADER_BYTES + EIQ_MAX_FRAME];
};

/* The server's memory needs no value before. */
void eiq_server_init(struct eiq_server *server, const struct eiq_port *port);

/* Take what has arrived, answer a few messages, and step the stream. Returns 0 where there was nothing to do. */
int eiq_server_poll(struct eiq_server *server);

/* After a poll that returned 0: whether nothing but new bytes can give it something to do. */
int eiq_server_sleeps(const struct eiq_server *server);

/* Run a model on what is in eiq_mutable_memory. Returns 0, or what the model says. */
int eiq_server_run(struct eiq_server *server, uint32_t model, uint32_t *ticks);
#endif
