/* A GPIO chip for libgpiod, loaded before libc (LD_PRELOAD): what the kernel answers on /dev/gpiochipN, uAPI version 2.
 *
 * A file DIR/dev/gpiochipN stands for the chip; it says "LABEL LINES", and then the lines that a kernel driver holds.
 * It is opened for real, so its permissions are real. What is driven goes to the file GPIO_LOG: the physical level of
 * the pin, as a meter would show it. A file GPIO_FAIL lets setting a line fail, as a chip at the end of a bus may.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MAJOR = 254, MOST = 1024 };

typedef struct { bool chip, request; unsigned count, offset[GPIO_V2_LINES_MAX]; uint64_t flags, values; } File;
static File files[MOST];

static const char *chip_name(const char *path) {
  const char *found = strstr(path, "/dev/gpiochip");
  return found && !strchr(found + 5, '/') ? found + 5 : NULL;
}

static void say(const char *form, ...) {
  FILE *log = fopen(getenv("GPIO_LOG"), "a");
  va_list arguments;
  if (!log) abort();
  va_start(arguments, form);
  vfprintf(log, form, arguments);
  va_end(arguments);
  fclose(log);
}

/* ---- the device node ------------------------------------------------------------------------------------------- */

static int as_device(const char *path, int result, struct stat *stat) {
  const char *name = chip_name(path);
  if (result == 0 && name && S_ISREG(stat->st_mode)) {
    stat->st_mode = (stat->st_mode & ~S_IFMT) | S_IFCHR;
    stat->st_rdev = makedev(MAJOR, (unsigned)atoi(name + strlen("gpiochip")));
  }
  return result;
}

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int lstat(const char *path, struct stat *s) {
  return as_device(path, REAL(int, "lstat", const char *, struct stat *)(path, s), s);
}

int stat(const char *path, struct stat *s) {
  return as_device(path, REAL(int, "stat", const char *, struct stat *)(path, s), s);
}

/* what a program calls that was built with a glibc before 2.33 */
int __lxstat(int version, const char *path, struct stat *s) { (void)version; return lstat(path, s); }
int __xstat(int version, const char *path, struct stat *s) { (void)version; return stat(path, s); }

char *realpath(const char *path, char *resolved) {
  char device[64];
  snprintf(device, sizeof device, "/sys/dev/char/%d:", MAJOR);
  if (strncmp(path, device, strlen(device)) == 0) /* .../subsystem */
    return resolved ? strcpy(resolved, "/sys/bus/gpio") : strdup("/sys/bus/gpio");
  return REAL(char *, "realpath", const char *, char *)(path, resolved);
}

static int opened(const char *path, int flags, mode_t mode) {
  int fd = REAL(int, "open", const char *, int, ...)(path, flags, mode);
  if (fd >= 0 && fd < MOST && chip_name(path)) files[fd] = (File){.chip = true};
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return opened(path, flags, mode);
}

int close(int fd) {
  if (fd >= 0 && fd < MOST) {
    if (files[fd].request) say("release\n");
    files[fd] = (File){0};
  }
  return REAL(int, "close", int)(fd);
}

/* ---- the chip -------------------------------------------------------------------------------------------------- */

static unsigned described(int fd, char label[GPIO_MAX_NAME_SIZE], uint64_t *busy) {
  char text[256] = "";
  unsigned lines = 0, line;
  int at = 0, more = 0;
  *busy = 0;
  if (pread(fd, text, sizeof text - 1, 0) < 0) return 0;
  sscanf(text, "%31s %u%n", label, &lines, &at);
  for (; sscanf(text + at, "%u%n", &line, &more) == 1; at += more) *busy |= 1ull << line;
  return lines;
}

static void drive(const File *file) {
  for (unsigned i = 0; i < file->count; i++) {
    bool active = file->values >> i & 1;
    say("line %u %s\n", file->offset[i], active != !!(file->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) ? "high" : "low");
  }
}

static int configure(File *file, const struct gpio_v2_line_config *config) {
  file->flags = config->flags;
  for (unsigned i = 0; i < config->num_attrs; i++) {
    const struct gpio_v2_line_config_attribute *each = &config->attrs[i];
    if (each->attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS && each->mask & 1) file->flags = each->attr.flags;
    if (each->attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
      file->values = (file->values & ~each->mask) | (each->attr.values & each->mask);
  }
  drive(file);
  return 0;
}

static int fail(int error) {
  errno = error;
  return -1;
}

static int asked(int fd, uint32_t request, void *data) {
  char label[GPIO_MAX_NAME_SIZE] = "";
  uint64_t busy;
  unsigned lines = described(fd, label, &busy);
  if (request == GPIO_GET_CHIPINFO_IOCTL) {
    struct gpiochip_info *info = data;
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "gpiochip");
    strcpy(info->label, label);
    info->lines = lines;
    return 0;
  }
  if (request == GPIO_V2_GET_LINEINFO_IOCTL) {
    struct gpio_v2_line_info *info = data;
    unsigned offset = info->offset;
    if (offset >= lines) return fail(EINVAL);
    memset(info, 0, sizeof *info);
    info->offset = offset;
    info->flags = GPIO_V2_LINE_FLAG_INPUT | (busy >> offset & 1 ? GPIO_V2_LINE_FLAG_USED : 0);
    return 0;
  }
  if (request == GPIO_V2_GET_LINE_IOCTL) {
    struct gpio_v2_line_request *wanted = data;
    for (unsigned i = 0; i < wanted->num_lines; i++) {
      if (wanted->offsets[i] >= lines) return fail(EINVAL);
      if (busy >> wanted->offsets[i] & 1) return fail(EBUSY);
    }
    wanted->fd = eventfd(0, EFD_CLOEXEC);
    if (wanted->fd < 0 || wanted->fd >= MOST) return fail(EMFILE);
    File *file = &files[wanted->fd];
    *file = (File){.request = true, .count = wanted->num_lines};
    memcpy(file->offset, wanted->offsets, sizeof file->offset);
    const char *as = wanted->config.flags & GPIO_V2_LINE_FLAG_OUTPUT ? "output" : "input";
    say("request for %s as %s\n", wanted->consumer, as);
    return configure(file, &wanted->config);
  }
  return fail(ENOTTY);
}

int ioctl(int fd, unsigned long given, ...) {
  uint32_t request = (uint32_t)given; /* the kernel looks at no more; libgpiod's are sign-extended */
  va_list arguments;
  va_start(arguments, given);
  void *data = va_arg(arguments, void *);
  va_end(arguments);
  File *file = fd >= 0 && fd < MOST ? &files[fd] : NULL;
  if (file && file->chip) return asked(fd, request, data);
  if (!file || !file->request) return REAL(int, "ioctl", int, unsigned long, ...)(fd, given, data);
  struct gpio_v2_line_values *values = data;
  if (request == GPIO_V2_LINE_SET_CONFIG_IOCTL) return configure(file, data);
  if (request == GPIO_V2_LINE_GET_VALUES_IOCTL) {
    values->bits = file->values & values->mask;
    return 0;
  }
  if (request != GPIO_V2_LINE_SET_VALUES_IOCTL) return fail(ENOTTY);
  if (access(getenv("GPIO_FAIL"), F_OK) == 0) return fail(EREMOTEIO);
  file->values = (file->values & ~values->mask) | (values->bits & values->mask);
  drive(file);
  return 0;
}
