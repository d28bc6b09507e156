#include "hardware.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
/* File systems note times in the kernel's ticks: what changed this recently may change unseen. */
#define TICK_NS (20 * 1000000)
#define MAX_FILE (3 * MAX_PATH)

int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * SECOND_NS + now.tv_nsec;
}

bool hardware_attach(Hardware *hardware, const char *folder) {
  memset(hardware, 0, sizeof *hardware);
  hardware->lock = hardware->log = -1;
  hardware->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (hardware->folder >= 0)
    hardware->log = openat(hardware->folder, "log.jsonl", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (hardware->log >= 0) return true;
  fprintf(stderr, "dsmsim: the scanner's folder %s cannot be used: %s\n", folder, strerror(errno));
  hardware_detach(hardware);
  return false;
}

void hardware_detach(Hardware *hardware) {
  hardware_unlock(hardware);
  if (hardware->log >= 0) close(hardware->log);
  if (hardware->folder >= 0) close(hardware->folder);
  hardware->log = hardware->folder = -1;
}

/* The content of a small file as a string; -1 if there is none. */
static ssize_t read_file(const Hardware *hardware, const char *name, char *text, size_t size) {
  int file = openat(hardware->folder, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, text, size - 1);
  close(file);
  if (length >= 0) text[length] = 0;
  return length;
}

static void write_file(const Hardware *hardware, const char *name, const char *text) {
  char temporary[64];
  snprintf(temporary, sizeof temporary, ".%d.tmp", (int)getpid());
  int file = openat(hardware->folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return;
  bool is_whole = write(file, text, strlen(text)) == (ssize_t)strlen(text);
  close(file);
  if (is_whole) renameat(hardware->folder, temporary, hardware->folder, name);
}

static bool exists(const Hardware *hardware, const char *name) {
  return faccessat(hardware->folder, name, F_OK, 0) == 0;
}

static bool is_recent(struct timespec time) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (now.tv_sec - time.tv_sec) * SECOND_NS + now.tv_nsec - time.tv_nsec < TICK_NS;
}

void hardware_look(Hardware *hardware) {
  struct stat found;
  if (fstat(hardware->folder, &found)) return;
  bool same = found.st_mtim.tv_sec == hardware->seen.tv_sec && found.st_mtim.tv_nsec == hardware->seen.tv_nsec;
  if (same) return;
  /* Not remembered while it is recent, so that the next look is a real one again. */
  if (!is_recent(found.st_mtim)) hardware->seen = found.st_mtim;
  if (read_file(hardware, "address", hardware->address, MAX_ADDRESS) < 0) *hardware->address = 0;
  hardware->address[strcspn(hardware->address, "\n")] = 0;
  hardware->cover_open = exists(hardware, "cover");
  hardware->jammed = exists(hardware, "jam");
}

bool hardware_lock(Hardware *hardware) {
  int lock = openat(hardware->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock < 0) return false;
  if (flock(lock, LOCK_EX | LOCK_NB)) {
    close(lock);
    return false;
  }
  hardware->lock = lock;
  return true;
}

void hardware_unlock(Hardware *hardware) {
  if (hardware->lock >= 0) close(hardware->lock);
  hardware->lock = -1;
}

static void read_side(Sheet *sheet, Side side, const char *value) {
  sheet->content[side] = !strcmp(value, "blank") ? BLANK : !strcmp(value, "drawn") ? DRAWN : PICTURE;
  snprintf(sheet->picture[side], MAX_PATH, "%s", value);
}

/* "KEY VALUE" a line. */
static bool read_sheet(const Hardware *hardware, const char *name, Sheet *sheet) {
  char text[MAX_FILE], *rest;
  if (read_file(hardware, name, text, sizeof text) <= 0) return false;
  memset(sheet, 0, sizeof *sheet);
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char *value = line + strcspn(line, " ");
    if (*value) *value++ = 0;
    if (!strcmp(line, "front")) read_side(sheet, FRONT, value);
    else if (!strcmp(line, "back")) read_side(sheet, BACK, value);
    else if (!strcmp(line, "load")) sheet->load = atoi(value);
    else if (!strcmp(line, "number")) sheet->number = atoi(value);
    else if (!strcmp(line, "width-um")) sheet->width_um = atoi(value);
    else if (!strcmp(line, "height-um")) sheet->height_um = atoi(value);
    else if (!strcmp(line, "marked")) sheet->is_marked = atoi(value) != 0;
  }
  return sheet->width_um > 0 && sheet->height_um > 0;
}

/* The lowest entry of the feeder; "" if it is empty. */
static void lowest_entry(const Hardware *hardware, char lowest[MAX_ENTRY]) {
  *lowest = 0;
  int folder = openat(hardware->folder, "feeder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *listing = folder < 0 ? NULL : fdopendir(folder);
  if (!listing) return;
  for (struct dirent *entry; (entry = readdir(listing));)
    if (*entry->d_name != '.' && strlen(entry->d_name) < MAX_ENTRY && (!*lowest || strcmp(entry->d_name, lowest) < 0))
      strcpy(lowest, entry->d_name);
  closedir(listing);
}

bool hardware_has_sheets(const Hardware *hardware) {
  char entry[MAX_ENTRY];
  lowest_entry(hardware, entry);
  return *entry != 0;
}

bool hardware_next_sheet(const Hardware *hardware, Sheet *sheet) {
  char entry[MAX_ENTRY], path[MAX_ENTRY + sizeof "feeder/"];
  lowest_entry(hardware, entry);
  if (!*entry) return false;
  snprintf(path, sizeof path, "feeder/%s", entry);
  if (!read_sheet(hardware, path, sheet)) return false;
  strcpy(sheet->entry, entry);
  return true;
}

void hardware_take_sheet(const Hardware *hardware, const Sheet *sheet) {
  char path[MAX_ENTRY + sizeof "feeder/"];
  snprintf(path, sizeof path, "feeder/%s", sheet->entry);
  unlinkat(hardware->folder, path, 0);
}

bool hardware_glass(const Hardware *hardware, Sheet *sheet) { return read_sheet(hardware, "glass", sheet); }

bool hardware_pressed(const Hardware *hardware, const char *button) {
  char path[64];
  snprintf(path, sizeof path, "buttons/%s", button);
  return unlinkat(hardware->folder, path, 0) == 0;
}

int64_t hardware_number(const Hardware *hardware, const char *name) {
  char text[32];
  return read_file(hardware, name, text, sizeof text) < 0 ? -1 : strtoll(text, NULL, 10);
}

void hardware_set_number(const Hardware *hardware, const char *name, int64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%" PRId64 "\n", number);
  if (number < 0) unlinkat(hardware->folder, name, 0);
  else write_file(hardware, name, text);
}

void hardware_log(const Hardware *hardware, const char *event, const char *members, ...) {
  int error = errno;
  int64_t now = now_ns();
  char line[512];
  int length = snprintf(line, sizeof line, "{\"t\": %" PRId64 ".%06" PRId64 ", \"pid\": %d, \"event\": \"%s\"",
                        now / SECOND_NS, now % SECOND_NS / 1000, (int)getpid(), event);
  va_list arguments;
  va_start(arguments, members);
  length += vsnprintf(line + length, sizeof line - (size_t)length, members, arguments);
  va_end(arguments);
  length += snprintf(line + length, sizeof line - (size_t)length, "}\n");
  ssize_t written = write(hardware->log, line, (size_t)length);
  if (getenv("SANE_DEBUG_DSMSIM")) written = write(STDERR_FILENO, line, (size_t)length);
  (void)written; /* there is nobody to tell */
  errno = error;
}
