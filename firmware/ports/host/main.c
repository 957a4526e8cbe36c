/* The firmware as a program: a board on a pseudo-terminal, whose name is its one line of output.

   usage: firmware [--memory RECORDINGS] [--link PATH] */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "eiq_model.h"
#include "eiq_port.h"
#include "eiq_recording.h"
#include "eiq_server.h"

#ifndef EIQ_BOARD
#define EIQ_BOARD "host"
#endif
#ifndef EIQ_BUILD
#define EIQ_BUILD "cc " __VERSION__
#endif

#define TICK_HZ 10000000u    /* an inference's ticks fit 32 bits for 429 s */
#define NS_A_TICK 100u
#define STACK_BYTES (1u << 20)
#define PAINT 0xA5
#define STREAM_WAIT_MS 2
#define WRITE_WAIT_MS 250    /* the terminal takes no more for so long: nobody reads it */
#define TERMINAL_BYTES 4096u /* that Linux keeps of what nobody has read */

struct board {
    int terminal;
    int kept;        /* its other end, held open: else Linux forgets its settings when a host closes it */
    uint64_t begun;  /* ns */
    uint8_t *deepest; /* where the server's stack began */
    int leds[2];
    struct eiq_port port;
    struct eiq_recordings recordings;
    struct eiq_server server;
};

static struct board board;
static uint8_t stack[STACK_BYTES] __attribute__((aligned(4096)));
static const char *link_path; /* for the signal's handler */

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "firmware: %s%s%s: %s\n", what, *name ? " " : "", name, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t ticks(void *user)
{
    const struct board *b = user;
    return (now_ns() - b->begun) / NS_A_TICK;
}

static size_t read_terminal(void *user, uint8_t *data, size_t size)
{
    const struct board *b = user;
    const ssize_t got = read(b->terminal, data, size);
    return got > 0 ? (size_t)got : 0;
}

static void write_terminal(void *user, const uint8_t *data, size_t size)
{
    const struct board *b = user;
    struct pollfd wait = {b->terminal, POLLOUT, 0};
    while (size) {
        const ssize_t done = write(b->terminal, data, size);
        if (done > 0) {
            data += done;
            size -= (size_t)done;
        } else if (done < 0 && errno != EAGAIN && errno != EINTR) {
            return;
        } else if (poll(&wait, 1, WRITE_WAIT_MS) == 0) {
            return; /* a UART would not wait at all */
        }
    }
}

static void led(void *user, uint32_t index, int on)
{
    struct board *b = user;
    b->leds[index] = on;
}

static void reset(void *user)
{
    struct board *b = user;
    memset(b->leds, 0, sizeof b->leds);
    b->begun = now_ns(); /* the server begins anew by itself */
}

static void stack_used(void *user, uint32_t *bytes, uint32_t *used)
{
    const struct board *b = user;
    const uint8_t *at = stack;
    while (*at == PAINT) at++;
    *bytes = (uint32_t)(b->deepest - stack);
    *used = at < b->deepest ? (uint32_t)(b->deepest - at) : 0;
}

static uint32_t overruns(void *user)
{
    (void)user;
    return 0;
}

static void *serve(void *user)
{
    struct board *b = user;
    struct pollfd wait = {b->terminal, POLLIN, 0};
    uint8_t here;
    b->deepest = &here;
    eiq_server_init(&b->server, &b->port);
    for (;;) {
        if (!eiq_server_poll(&b->server)) poll(&wait, 1, eiq_server_sleeps(&b->server) ? -1 : STREAM_WAIT_MS);
    }
    return NULL;
}

static void open_terminal(struct board *b)
{
    struct termios settings;
    const char *name = NULL;
    b->terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (b->terminal >= 0 && grantpt(b->terminal) == 0 && unlockpt(b->terminal) == 0) name = ptsname(b->terminal);
    b->kept = name ? open(name, O_RDWR | O_NOCTTY) : -1;
    if (b->kept < 0 || tcgetattr(b->kept, &settings)) fail("cannot open a pseudo-terminal", "");
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (tcsetattr(b->kept, TCSANOW, &settings) || fcntl(b->terminal, F_SETFL, O_RDWR | O_NONBLOCK)) {
        fail("cannot set the pseudo-terminal up", "");
    }
    if (link_path) {
        unlink(link_path);
        if (symlink(name, link_path)) fail("cannot link", link_path);
    }
    if (printf("%s\n", name) < 0 || fflush(stdout)) fail("cannot print the terminal's name", "");
}

static void open_recordings(struct board *b, const char *path)
{
    struct stat about;
    const int file = open(path, O_RDONLY);
    void *memory = MAP_FAILED;
    if (file >= 0 && fstat(file, &about) == 0 && about.st_size > 0) {
        memory = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (memory == MAP_FAILED) fail("cannot read", path);
    close(file);
    eiq_recordings_open(&b->recordings, &b->port, memory, (size_t)about.st_size);
    if (!b->port.sensor_count) {
        fprintf(stderr, "firmware: %s holds no recordings\n", path);
        exit(1);
    }
}

static void end(int number)
{
    (void)number;
    if (link_path) unlink(link_path);
    _exit(0);
}

int main(int argc, char **argv)
{
    static const struct eiq_port port = {
        .board = EIQ_BOARD, .clock = "host time", .build = EIQ_BUILD, .tick_hz = TICK_HZ, .rx_buffer = TERMINAL_BYTES,
        .leds = 2, .ticks = ticks, .read = read_terminal, .write = write_terminal, .led = led, .reset = reset,
        .stack = stack_used, .overruns = overruns};
    struct board *b = &board;
    const char *memory = NULL;
    pthread_t server;
    pthread_attr_t attributes;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--memory")) {
            memory = argv[i + 1];
        } else if (i + 1 < argc && !strcmp(argv[i], "--link")) {
            link_path = argv[i + 1];
        } else {
            fprintf(stderr, "usage: %s [--memory RECORDINGS] [--link PATH]\n", argv[0]);
            return 2;
        }
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    b->port = port;
    b->port.user = b;
    b->begun = now_ns();
    if (memory) open_recordings(b, memory);
    open_terminal(b);
    /* a stack of its own, painted, so that its use can be measured */
    memset(stack, PAINT, sizeof stack);
    if (pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, stack, sizeof stack) ||
        pthread_create(&server, &attributes, serve, b) || pthread_join(server, NULL)) {
        fail("cannot start", "");
    }
    return 0;
}
