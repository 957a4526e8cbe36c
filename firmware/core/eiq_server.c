/* Messages in, messages out. What each call does is in eiq_calls.c. */
#include "eiq_server.h"
#include <string.h>

#define VERSION 1u /* of eRPC's basic codec */
#define MESSAGE_HEADER 8u
#define MESSAGES_A_POLL 4

enum type { INVOCATION = 0, ONEWAY = 1, REPLY = 2 };

void eiq_server_init(struct eiq_server *server, const struct eiq_port *port)
{
    memset(server, 0, sizeof *server);
    server->port = port;
    server->frame = EIQ_MAX_FRAME;
    eiq_decoder_init(&server->decoder);
}

static void begin(struct eiq_server *server, struct eiq_writer *w, uint32_t service, uint32_t method, uint32_t sequence)
{
    eiq_writer_init(w, server->reply + EIQ_HEADER_BYTES, server->frame);
    eiq_put_uint32(w, VERSION << 24 | service << 16 | method << 8 | REPLY);
    eiq_put_uint32(w, sequence);
}

static void send(struct eiq_server *server, const struct eiq_writer *w)
{
    const size_t size = (size_t)(w->at - server->reply) - EIQ_HEADER_BYTES;
    server->port->write(server->port->user, server->reply, eiq_frame_finish(server->reply, size));
}

static void send_fault(struct eiq_server *server, uint32_t service, uint32_t method, uint32_t sequence, int32_t status)
{
    struct eiq_writer w;
    begin(server, &w, EIQ_SERVICE_FAULT, EIQ_METHOD_FAULT, sequence);
    eiq_put_fault(&w, service, method, status);
    send(server, &w);
}

static int32_t call(struct eiq_server *server, uint32_t service, uint32_t method, int oneway, struct eiq_reader *r,
                    struct eiq_writer *w)
{
    if (service != EIQ_SERVICE_EIQ) return EIQ_STATUS_UNKNOWN_SERVICE;
    switch (eiq_dispatch_eiq(server, method, oneway, r, w)) {
    case EIQ_DISPATCH_NO_METHOD:
        return EIQ_STATUS_UNKNOWN_METHOD;
    case EIQ_DISPATCH_BAD_ARGUMENTS:
        return EIQ_STATUS_BAD_REQUEST;
    case EIQ_DISPATCH_DONE:
        break;
    }
    return w->failed ? EIQ_STATUS_TOO_LARGE : EIQ_STATUS_OK;
}

static void answer(struct eiq_server *server, const uint8_t *message, size_t size)
{
    struct eiq_reader r;
    struct eiq_writer w;
    uint32_t word, service, method, type, sequence;
    int32_t status;
    eiq_reader_init(&r, message, size);
    word = eiq_get_uint32(&r);
    sequence = eiq_get_uint32(&r);
    service = word >> 16 & 0xFFu;
    method = word >> 8 & 0xFFu;
    type = word & 0xFFu;
    if (size < MESSAGE_HEADER) {
        send_fault(server, 0, 0, 0, EIQ_STATUS_BAD_REQUEST);
        return;
    }
    if (type > ONEWAY) return; /* a reply or a notification: this board asks nobody */
    server->sequence = sequence;
    begin(server, &w, service, method, sequence);
    status = word >> 24 == VERSION ? call(server, service, method, type == ONEWAY, &r, &w) : EIQ_STATUS_VERSION;
    if (type == ONEWAY) return;
    if (status == EIQ_STATUS_OK) {
        send(server, &w);
    } else {
        send_fault(server, service, method, sequence, status);
    }
}

/* Returns how many bytes came. */
static size_t receive(struct eiq_server *server)
{
    const struct eiq_port *port = server->port;
    size_t size;
    uint8_t *space = eiq_decoder_space(&server->decoder, &size);
    const size_t got = size ? port->read(port->user, space, size) : 0;
    eiq_decoder_add(&server->decoder, got);
    if (got) server->heard = port->ticks(port->user);
    return got;
}

static int is_silent(const struct eiq_server *server)
{
    const struct eiq_port *port = server->port;
    return port->ticks(port->user) - server->heard >= (uint64_t)port->tick_hz * EIQ_IDLE_MS / 1000u;
}

static void reset(struct eiq_server *server)
{
    const struct eiq_port *port = server->port;
    port->reset(port->user);
    eiq_server_init(server, port); /* a board is not here any more; a program on a host is */
}

int eiq_server_poll(struct eiq_server *server)
{
    const uint8_t *message;
    size_t size;
    int worked = receive(server) != 0;
    for (int i = 0; i < MESSAGES_A_POLL; i++) {
        const enum eiq_found found = eiq_decoder_next(&server->decoder, &message, &size);
        if (found == EIQ_FOUND_NONE) {
            if (!worked && is_silent(server)) worked = eiq_decoder_idle(&server->decoder);
            break;
        }
        worked = 1;
        if (found == EIQ_FOUND_MESSAGE) {
            answer(server, message, size);
        } else {
            send_fault(server, 0, 0, 0, EIQ_STATUS_TOO_LARGE);
        }
        if (server->resets) {
            reset(server);
            return 1;
        }
    }
    return eiq_stream_step(&server->stream, server) || worked;
}

int eiq_server_sleeps(const struct eiq_server *server)
{
    return server->decoder.from == server->decoder.to && !server->stream.sensor;
}

int eiq_server_run(struct eiq_server *server, uint32_t model, uint32_t *ticks)
{
    const struct eiq_model *m = &eiq_models[model];
    const struct eiq_port *port = server->port;
    const uint64_t begun = port->ticks(port->user);
    /* Glow's interface takes the constants as not const, and does not write them */
    const int failed = m->run((uint8_t *)(uintptr_t)m->constants, eiq_mutable_memory, eiq_activations);
    *ticks = (uint32_t)(port->ticks(port->user) - begun);
    return failed;
}
