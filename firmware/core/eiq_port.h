/* What the core asks of a board. A port fills one of these in and owns its memory; every function gets ``user``. */
#ifndef EIQ_PORT_H
#define EIQ_PORT_H
#include <stddef.h>
#include <stdint.h>

/* A sensor of the board. ``ready`` counts samples since ``start``; ``at`` those before which nothing is kept. */
struct eiq_sensor {
    uint8_t kind, dtype; /* enum eiq_sensor_kind, enum eiq_dtype */
    uint8_t channels;
    float rate_hz, scale;
    const char *names;   /* channels with units, one blank between; "" for sound */
    uint32_t samples;    /* of a recording; 0: a real sensor */
    void *user;
    /* 0, or an error. fast: a recording does not wait for its time. */
    int (*start)(void *user, int fast);
    /* How many samples there have been. */
    uint32_t (*ready)(void *user);
    /* Copy up to ``count`` samples from ``*at`` on; ``*at`` moves on where older ones are lost. Returns how many. */
    uint32_t (*read)(void *user, uint32_t *at, uint32_t count, void *out);
};

struct eiq_port {
    void *user;
    const char *board; /* such as "mps2-an500" */
    const char *clock; /* what a tick counts */
    const char *build; /* compiler */
    uint32_t tick_hz;
    uint32_t rx_buffer; /* bytes that are taken while a model computes */
    uint32_t leds;
    uint32_t sensor_count;
    const struct eiq_sensor *sensors;
    uint64_t (*ticks)(void *user);
    size_t (*read)(void *user, uint8_t *data, size_t size);        /* what has arrived; does not wait */
    void (*write)(void *user, const uint8_t *data, size_t size);   /* all of it */
    void (*led)(void *user, uint32_t led, int on);
    void (*reset)(void *user);                                     /* may return on a host */
    void (*stack)(void *user, uint32_t *bytes, uint32_t *used);
    uint32_t (*overruns)(void *user);
};
#endif
