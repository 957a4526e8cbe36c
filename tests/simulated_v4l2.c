/* A camera for V4L2, loaded before libc (LD_PRELOAD): what the kernel answers on /dev/video9.
 *
 * V4L2_FORMATS: what it has ("YUYV", "NV12", "MJPG", in its order), each in 320x240 and 640x480 at 30 and 15 pictures a
 * second. V4L2_BUFFERS: the most that the driver gives (default 4). V4L2_JPEGS: a folder with 0.jpg to 7.jpg of 640x480.
 * V4L2_STATE: a folder; while it has a file "unplugged" the camera is away, while it has "silent" no picture comes. What
 * is negotiated goes to its file "log".
 *
 * Picture n: 16 blocks over the upper quarter are the bits of n, lowest first, white for one; below are four bars, red,
 * green, blue and grey (BT.601, limited range), as tests/integration/test_v4l2.py has them. MJPG: n % 8 as the file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define NODE "/dev/video9"
#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

enum { MOST_FDS = 1024, MOST_BUFFERS = 32, SIZE = 640 * 480 * 2, JPEGS = 8 };

typedef struct { bool queued, done; unsigned used, sequence; struct timeval time; } Slot;

/* one opening of the camera */
typedef struct {
  int references, ready, memory;
  bool streaming, gone;
  unsigned count, sequence;
  uint8_t *pixels;
  Slot slots[MOST_BUFFERS];
  unsigned order[MOST_BUFFERS], waiting; /* queued, oldest first */
  pthread_t driver;
} Camera;

/* what outlives a closing */
static struct { uint32_t format, width, height, fps; } chosen = {0, 640, 480, 30};
static Camera *cameras[MOST_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}

static bool state(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", setting("V4L2_STATE", "/nonexistent"), name);
  return REAL(int, "access", const char *, int)(path, F_OK) == 0;
}

static void say(const char *form, ...) {
  char path[512];
  snprintf(path, sizeof path, "%s/log", setting("V4L2_STATE", "/nonexistent"));
  FILE *log = fopen(path, "a");
  va_list arguments;
  if (!log) return;
  va_start(arguments, form);
  vfprintf(log, form, arguments);
  va_end(arguments);
  fclose(log);
}

static Camera *camera_of(int fd) { return fd >= 0 && fd < MOST_FDS ? cameras[fd] : NULL; }

/* ---- pictures -------------------------------------------------------------------------------------------------- */

static const uint8_t BARS[4][3] = {{81, 90, 240}, {145, 54, 34}, {41, 240, 110}, {126, 128, 128}}; /* Y, U, V */

static void yuv(unsigned n, unsigned x, unsigned y, uint8_t out[3]) {
  if (y < chosen.height / 4) {
    out[0] = n >> (x * 16 / chosen.width) & 1 ? 235 : 16;
    out[1] = out[2] = 128;
  } else {
    memcpy(out, BARS[x * 4 / chosen.width], 3);
  }
}

static unsigned draw(uint8_t *to, unsigned n) {
  unsigned width = chosen.width, height = chosen.height;
  uint8_t p[3];
  if (chosen.format == V4L2_PIX_FMT_MJPEG) {
    char path[512];
    snprintf(path, sizeof path, "%s/%u.jpg", setting("V4L2_JPEGS", "/nonexistent"), n % JPEGS);
    FILE *file = fopen(path, "rb");
    unsigned used = file ? (unsigned)fread(to, 1, SIZE, file) : 0;
    if (file) fclose(file);
    return used;
  }
  for (unsigned y = 0; y < height; y++)
    for (unsigned x = 0; x < width; x++) {
      yuv(n, x, y, p);
      if (chosen.format == V4L2_PIX_FMT_YUYV) {
        to[(y * width + x) * 2] = p[0];
        to[(y * width + x) * 2 + 1] = x % 2 ? p[2] : p[1];
      } else {
        to[y * width + x] = p[0];
        if (x % 2 == 0 && y % 2 == 0) memcpy(to + width * height + y / 2 * width + x, p + 1, 2);
      }
    }
  return chosen.format == V4L2_PIX_FMT_YUYV ? width * height * 2 : width * height * 3 / 2;
}

static void wake(Camera *camera) {
  uint64_t one = 1;
  if (write(camera->ready, &one, sizeof one) < 0) abort();
}

/* one picture a period, into the oldest buffer that is queued; without one the picture is lost, as with a real camera */
static void *drive(void *argument) {
  Camera *camera = argument;
  while (true) {
    struct timespec period = {0, 1000000000 / chosen.fps}, now;
    nanosleep(&period, NULL);
    pthread_mutex_lock(&lock);
    if (!camera->streaming) break;
    if (state("unplugged")) {
      camera->gone = true;
      wake(camera);
      break;
    }
    if (!state("silent")) {
      if (camera->waiting) {
        unsigned index = camera->order[0];
        Slot *slot = &camera->slots[index];
        memmove(camera->order, camera->order + 1, --camera->waiting * sizeof camera->order[0]);
        clock_gettime(CLOCK_MONOTONIC, &now);
        slot->used = draw(camera->pixels + (size_t)index * SIZE, camera->sequence);
        slot->sequence = camera->sequence;
        slot->time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
        slot->done = true;
        wake(camera);
      }
      camera->sequence++;
    }
    pthread_mutex_unlock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

/* ---- ioctl ----------------------------------------------------------------------------------------------------- */

static uint32_t format_number(unsigned index) {
  const char *text = setting("V4L2_FORMATS", "YUYV");
  return strlen(text) >= index * 5 + 4 ? v4l2_fourcc(text[index * 5], text[index * 5 + 1], text[index * 5 + 2],
                                                     text[index * 5 + 3]) : 0;
}

static bool has_format(uint32_t format) {
  for (unsigned i = 0; format_number(i); i++)
    if (format_number(i) == format) return true;
  return false;
}

/* as drivers do: what is not there becomes what is nearest */
static void fit(struct v4l2_pix_format *pix) {
  bool small = pix->width * 2 < 320 + 640;
  if (!has_format(pix->pixelformat)) pix->pixelformat = format_number(0);
  pix->width = small ? 320 : 640;
  pix->height = small ? 240 : 480;
  pix->field = V4L2_FIELD_NONE;
  pix->bytesperline = pix->pixelformat == V4L2_PIX_FMT_YUYV ? pix->width * 2
                      : pix->pixelformat == V4L2_PIX_FMT_NV12 ? pix->width : 0;
  pix->sizeimage = pix->pixelformat == V4L2_PIX_FMT_NV12 ? pix->width * pix->height * 3 / 2 : pix->width * pix->height * 2;
  pix->colorspace = pix->pixelformat == V4L2_PIX_FMT_MJPEG ? V4L2_COLORSPACE_JPEG : V4L2_COLORSPACE_SMPTE170M;
  pix->priv = pix->flags = pix->ycbcr_enc = pix->quantization = pix->xfer_func = 0;
}

static void tell(struct v4l2_buffer *to, const Camera *camera, unsigned index) {
  const Slot *slot = &camera->slots[index];
  struct v4l2_buffer buffer = {.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
                               .bytesused = slot->used, .length = SIZE, .m.offset = index * SIZE,
                               .field = V4L2_FIELD_NONE, .sequence = slot->sequence, .timestamp = slot->time};
  buffer.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | (slot->queued ? V4L2_BUF_FLAG_QUEUED : 0) |
                 (slot->done ? V4L2_BUF_FLAG_DONE : 0);
  *to = buffer;
}

static int fail(int error) {
  errno = error;
  return -1;
}

static void stop(Camera *camera) {
  if (!camera->streaming) return;
  camera->streaming = false;
  pthread_mutex_unlock(&lock);
  pthread_join(camera->driver, NULL);
  pthread_mutex_lock(&lock);
  uint64_t drained;
  while (read(camera->ready, &drained, sizeof drained) > 0) {}
  camera->waiting = 0;
  for (unsigned i = 0; i < camera->count; i++) camera->slots[i].queued = camera->slots[i].done = false;
}

static int take(Camera *camera, struct v4l2_buffer *to) {
  uint64_t one;
  int oldest = -1;
  if (camera->gone) return fail(ENODEV);
  if (read(camera->ready, &one, sizeof one) < 0) return fail(EAGAIN);
  for (unsigned i = 0; i < camera->count; i++)
    if (camera->slots[i].done && (oldest < 0 || camera->slots[i].sequence < camera->slots[oldest].sequence))
      oldest = (int)i;
  if (oldest < 0) return fail(EAGAIN);
  camera->slots[oldest].queued = camera->slots[oldest].done = false;
  tell(to, camera, (unsigned)oldest);
  return 0;
}

static int request(Camera *camera, struct v4l2_requestbuffers *asked) {
  unsigned most = (unsigned)atoi(setting("V4L2_BUFFERS", "4"));
  if (asked->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || asked->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
  stop(camera);
  if (asked->count > most) asked->count = most;
  if (asked->count) say("buffers %u\n", asked->count);
  asked->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
  camera->count = asked->count;
  memset(camera->slots, 0, sizeof camera->slots);
  return 0;
}

static int parameters(struct v4l2_streamparm *parm, bool set) {
  struct v4l2_captureparm *capture = &parm->parm.capture;
  if (parm->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
  if (set && capture->timeperframe.numerator)
    chosen.fps = capture->timeperframe.denominator * 2 < capture->timeperframe.numerator * 45 ? 15 : 30;
  memset(capture, 0, sizeof *capture);
  capture->capability = V4L2_CAP_TIMEPERFRAME;
  capture->timeperframe = (struct v4l2_fract){1, chosen.fps};
  return 0;
}

static int answer(Camera *camera, unsigned long number, void *argument) {
  switch ((uint32_t)number) {
    case VIDIOC_QUERYCAP: {
      struct v4l2_capability *cap = argument;
      memset(cap, 0, sizeof *cap);
      strcpy((char *)cap->driver, "simulated");
      strcpy((char *)cap->card, "Simulated camera");
      strcpy((char *)cap->bus_info, "usb-simulated-9");
      cap->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
      cap->capabilities = cap->device_caps | V4L2_CAP_DEVICE_CAPS;
      return 0;
    }
    case VIDIOC_ENUM_FMT: {
      struct v4l2_fmtdesc *desc = argument;
      uint32_t found = desc->type == V4L2_BUF_TYPE_VIDEO_CAPTURE ? format_number(desc->index) : 0;
      if (!found) return fail(EINVAL);
      desc->pixelformat = found;
      desc->flags = found == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
      return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
      struct v4l2_frmsizeenum *size = argument;
      if (!has_format(size->pixel_format) || size->index > 1) return fail(EINVAL);
      size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
      size->discrete.width = size->index ? 320 : 640;
      size->discrete.height = size->index ? 240 : 480;
      return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
      struct v4l2_frmivalenum *interval = argument;
      if (!has_format(interval->pixel_format) || interval->index > 1) return fail(EINVAL);
      interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
      interval->discrete = (struct v4l2_fract){1, interval->index ? 15 : 30};
      return 0;
    }
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT: {
      struct v4l2_format *format = argument;
      if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
      if (number == VIDIOC_G_FMT) {
        format->fmt.pix.pixelformat = chosen.format;
        format->fmt.pix.width = chosen.width;
        format->fmt.pix.height = chosen.height;
      }
      fit(&format->fmt.pix);
      if (number != VIDIOC_S_FMT) return 0;
      if (camera->streaming || camera->count) return fail(EBUSY);
      chosen.format = format->fmt.pix.pixelformat;
      chosen.width = format->fmt.pix.width;
      chosen.height = format->fmt.pix.height;
      say("%.4s %ux%u\n", (char *)&chosen.format, chosen.width, chosen.height);
      return 0;
    }
    case VIDIOC_G_PARM: return parameters(argument, false);
    case VIDIOC_S_PARM: return parameters(argument, true);
    case VIDIOC_REQBUFS: return request(camera, argument);
    case VIDIOC_QUERYBUF: {
      struct v4l2_buffer *buffer = argument;
      if (buffer->index >= camera->count) return fail(EINVAL);
      tell(buffer, camera, buffer->index);
      return 0;
    }
    case VIDIOC_QBUF: {
      struct v4l2_buffer *buffer = argument;
      if (buffer->index >= camera->count || camera->slots[buffer->index].queued) return fail(EINVAL);
      camera->slots[buffer->index].queued = true;
      camera->order[camera->waiting++] = buffer->index;
      tell(buffer, camera, buffer->index);
      return 0;
    }
    case VIDIOC_DQBUF: return take(camera, argument);
    case VIDIOC_STREAMON:
      if (camera->streaming) return 0;
      say("fps %u\n", chosen.fps);
      camera->streaming = true;
      return pthread_create(&camera->driver, NULL, drive, camera) ? fail(ENOMEM) : 0;
    case VIDIOC_STREAMOFF: stop(camera); return 0;
    case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case VIDIOC_S_INPUT: return *(int *)argument ? fail(EINVAL) : 0;
    case VIDIOC_ENUMINPUT: {
      struct v4l2_input *input = argument;
      if (input->index) return fail(EINVAL);
      memset(input, 0, sizeof *input);
      strcpy((char *)input->name, "Camera 1");
      input->type = V4L2_INPUT_TYPE_CAMERA;
      return 0;
    }
    default: return fail(ENOTTY);
  }
}

int ioctl(int fd, unsigned long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  Camera *camera = camera_of(fd);
  if (!camera) return REAL(int, "ioctl", int, unsigned long, void *)(fd, number, argument);
  pthread_mutex_lock(&lock);
  int result = camera->gone || state("unplugged") ? fail(ENODEV) : answer(camera, number, argument);
  int error = errno;
  if (camera->gone && (number == VIDIOC_STREAMOFF || number == VIDIOC_REQBUFS)) stop(camera);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static int open_camera(void) {
  if (state("unplugged")) return fail(ENOENT);
  Camera *camera = calloc(1, sizeof *camera);
  if (!camera) abort();
  camera->ready = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
  camera->memory = memfd_create("camera", MFD_CLOEXEC);
  if (camera->ready < 0 || camera->memory < 0 || ftruncate(camera->memory, (off_t)MOST_BUFFERS * SIZE)) abort();
  camera->pixels = REAL(void *, "mmap", void *, size_t, int, int, int, off_t)(NULL, (size_t)MOST_BUFFERS * SIZE,
                       PROT_READ | PROT_WRITE, MAP_SHARED, camera->memory, 0);
  if (camera->pixels == MAP_FAILED || camera->ready >= MOST_FDS) abort();
  camera->references = 1;
  if (!chosen.format) chosen.format = format_number(0);
  cameras[camera->ready] = camera;
  return camera->ready;
}

static int opened(const char *name, int at, const char *path, int flags, va_list arguments) {
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  if (path && strcmp(path, NODE) == 0) return open_camera();
  if (strstr(name, "at")) return REAL(int, name, int, const char *, int, mode_t)(at, path, flags, mode);
  return REAL(int, name, const char *, int, mode_t)(path, flags, mode);
}

#define OPEN(name)                                              \
  int name(const char *path, int flags, ...) {                  \
    va_list arguments;                                          \
    va_start(arguments, flags);                                 \
    int fd = opened(#name, AT_FDCWD, path, flags, arguments);   \
    va_end(arguments);                                          \
    return fd;                                                  \
  }
#define OPEN_AT(name)                                           \
  int name(int at, const char *path, int flags, ...) {          \
    va_list arguments;                                          \
    va_start(arguments, flags);                                 \
    int fd = opened(#name, at, path, flags, arguments);         \
    va_end(arguments);                                          \
    return fd;                                                  \
  }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int at, const char *path, int flags) { return openat(at, path, flags); }
int __openat64_2(int at, const char *path, int flags) { return openat64(at, path, flags); }

int dup(int fd) {
  int copy = REAL(int, "dup", int)(fd);
  Camera *camera = camera_of(fd);
  if (camera && copy >= 0 && copy < MOST_FDS) {
    pthread_mutex_lock(&lock);
    camera->references++;
    cameras[copy] = camera;
    pthread_mutex_unlock(&lock);
  }
  return copy;
}

int close(int fd) {
  Camera *camera = camera_of(fd);
  if (camera) {
    pthread_mutex_lock(&lock);
    cameras[fd] = NULL;
    if (--camera->references == 0) {
      stop(camera);
      REAL(int, "munmap", void *, size_t)(camera->pixels, (size_t)MOST_BUFFERS * SIZE);
      REAL(int, "close", int)(camera->memory);
      free(camera);
    }
    pthread_mutex_unlock(&lock);
  }
  return REAL(int, "close", int)(fd);
}

#define MMAP(name, offset_type)                                                                              \
  void *name(void *at, size_t length, int protection, int flags, int fd, offset_type offset) {               \
    Camera *camera = flags & MAP_ANONYMOUS ? NULL : camera_of(fd);                                           \
    return REAL(void *, #name, void *, size_t, int, int, int, offset_type)(at, length, protection, flags,    \
                                                                           camera ? camera->memory : fd, offset); \
  }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

static bool away(const char *path) { return state("unplugged") || strcmp(path, NODE) != 0; }

#define STAT(name, type)                                                         \
  int name(const char *path, struct type *s) {                                   \
    if (strcmp(path, NODE) != 0) return REAL(int, #name, const char *, struct type *)(path, s); \
    if (away(path)) return fail(ENOENT);                                         \
    memset(s, 0, sizeof *s);                                                     \
    s->st_mode = S_IFCHR | 0660;                                                 \
    s->st_rdev = makedev(81, 9);                                                 \
    return 0;                                                                    \
  }
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

int access(const char *path, int mode) {
  if (strcmp(path, NODE) == 0) return away(path) ? fail(ENOENT) : 0;
  return REAL(int, "access", const char *, int)(path, mode);
}
