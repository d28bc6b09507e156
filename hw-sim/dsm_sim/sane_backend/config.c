#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sane/sane.h>

#define FILE_NAME "dsmsim.conf"
#define DEFAULT_FOLDERS ".:/etc/sane.d"

const char *const source_names[SOURCES] = {"Flatbed", "ADF", "ADF Duplex", "Transparency Unit"};
const char *const mode_names[MODES] = {"Lineart", "Halftone", "Gray", "Color"};
const char *const call_names[CALLS] = {"open", "start", "read", "cancel", "close"};

typedef struct {
  const char *name;
  int value;
} Word;

static const Word whats[] = {
    {"good", SANE_STATUS_GOOD},
    {"unsupported", SANE_STATUS_UNSUPPORTED},
    {"cancelled", SANE_STATUS_CANCELLED},
    {"device-busy", SANE_STATUS_DEVICE_BUSY},
    {"inval", SANE_STATUS_INVAL},
    {"eof", SANE_STATUS_EOF},
    {"jammed", SANE_STATUS_JAMMED},
    {"no-docs", SANE_STATUS_NO_DOCS},
    {"cover-open", SANE_STATUS_COVER_OPEN},
    {"io-error", SANE_STATUS_IO_ERROR},
    {"no-mem", SANE_STATUS_NO_MEM},
    {"access-denied", SANE_STATUS_ACCESS_DENIED},
    {"warming-up", 12}, /* an extension that sane.h has switched off and some backends return all the same */
    {"double-feed", DOUBLE_FEED},
    {"hang", HANG},
    {"hang-until-cancel", HANG_UNTIL_CANCEL},
    {"crash", CRASH},
    {"replay", REPLAY},
    {NULL, 0},
};

typedef enum { TEXT, PATH, NUMBER, NUMBERS, STATUS, SOURCE_SET, MODE_SET, FAULT } Kind;

typedef struct {
  const char *name;
  Kind kind;
  size_t at, count_at;
} Key;

#define AT(member) offsetof(Model, member)

static const Key keys[] = {
    {"scanner", PATH, AT(folder), 0},
    {"vendor", TEXT, AT(vendor), 0},
    {"model", TEXT, AT(model), 0},
    {"kind", TEXT, AT(kind), 0},
    {"serial", TEXT, AT(serial), 0},
    {"sources", SOURCE_SET, AT(sources), 0},
    {"modes", MODE_SET, AT(modes), 0},
    {"depths", NUMBERS, AT(depths), AT(depth_count)},
    {"resolutions", NUMBERS, AT(resolutions), AT(resolution_count)},
    {"resolution-range", NUMBER, AT(resolution_range), 0},
    {"separate-resolutions", NUMBER, AT(separate_resolutions), 0},
    {"glass-width-um", NUMBER, AT(glass_width_um), 0},
    {"glass-height-um", NUMBER, AT(glass_height_um), 0},
    {"feeder-width-um", NUMBER, AT(feeder_width_um), 0},
    {"feeder-height-um", NUMBER, AT(feeder_height_um), 0},
    {"film-width-um", NUMBER, AT(film_width_um), 0},
    {"film-height-um", NUMBER, AT(film_height_um), 0},
    {"feeder-background", NUMBER, AT(feeder_background), 0},
    {"images-per-minute", NUMBER, AT(images_per_minute), 0},
    {"buffered-images", NUMBER, AT(buffered_images), 0},
    {"opening-fails", NUMBER, AT(opening_fails), 0},
    {"opening-fails-with", STATUS, AT(opening_fails_with), 0},
    {"warming-up-ms", NUMBER, AT(warming_up_ms), 0},
    {"warming-up-with", STATUS, AT(warming_up_with), 0},
    {"frozen-list", NUMBER, AT(frozen_list), 0},
    {"rotating-list", NUMBER, AT(rotating_list), 0},
    {"no-docs-late", NUMBER, AT(no_docs_late), 0},
    {"hasty-start-ms", NUMBER, AT(hasty_start_ms), 0},
    {"backs-upside-down", NUMBER, AT(backs_upside_down), 0},
    {"delivered-dpi", NUMBER, AT(delivered_dpi), 0},
    {"page-size-first", NUMBER, AT(page_size_first), 0},
    {"line-padding", NUMBER, AT(line_padding), 0},
    {"three-pass", NUMBER, AT(three_pass), 0},
    {"unknown-length", NUMBER, AT(unknown_length), 0},
    {"grey-tail-um", NUMBER, AT(grey_tail_um), 0},
    {"inexact-um", NUMBER, AT(inexact_um), 0},
    {"keeps-options", NUMBER, AT(keeps_options), 0},
    {"source-change-ms", NUMBER, AT(source_change_ms), 0},
    {"double-feed-options", NUMBER, AT(double_feed_options), 0},
    {"leaked-bytes", NUMBER, AT(leaked_bytes), 0},
    {"fault", FAULT, 0, 0},
    {NULL, TEXT, 0, 0},
};

static bool read_text(char *to, size_t size, const char *value) {
  return *value && (size_t)snprintf(to, size, "%s", value) < size;
}

static bool read_number(const char *text, int64_t *number) {
  char *end;
  errno = 0;
  *number = strtoll(text, &end, 10);
  return !errno && end != text && !*end && *number >= 0;
}

static bool read_int(const char *text, int *number) {
  int64_t wide;
  if (!text || !read_number(text, &wide) || wide > INT_MAX) return false;
  *number = (int)wide;
  return true;
}

static bool read_numbers(char *value, int *list, int *count) {
  char *rest;
  *count = 0;
  for (char *part = strtok_r(value, " ", &rest); part; part = strtok_r(NULL, " ", &rest))
    if (*count == MAX_LIST || !read_int(part, &list[(*count)++])) return false;
  return *count > 0;
}

static bool read_set(char *value, const char *const *names, int count, int *set) {
  char *rest;
  *set = 0;
  for (char *part = strtok_r(value, "|", &rest); part; part = strtok_r(NULL, "|", &rest)) {
    int i = 0;
    while (i < count && strcmp(names[i], part)) i++;
    if (i == count) return false;
    *set |= 1 << i;
  }
  return *set != 0;
}

const char *config_what_name(int what) {
  for (const Word *word = whats; word->name; word++)
    if (word->value == what) return word->name;
  return "unknown";
}

static bool read_what(const char *name, int *value) {
  for (const Word *word = whats; name && word->name; word++)
    if (!strcmp(word->name, name)) {
      *value = word->value;
      return true;
    }
  return false;
}

static bool read_call(const char *name, Call *call) {
  for (int i = 0; name && i < CALLS; i++)
    if (!strcmp(call_names[i], name)) {
      *call = (Call)i;
      return true;
    }
  return false;
}

/* CALL WHAT LOAD IMAGE BYTE TIMES */
static bool read_fault(char *value, Model *model) {
  if (model->fault_count == MAX_FAULTS) return false;
  Fault *fault = &model->faults[model->fault_count++];
  char *part[6], *rest;
  for (int i = 0; i < 6; i++) part[i] = strtok_r(i ? NULL : value, " ", &rest);
  return read_call(part[0], &fault->call) && read_what(part[1], &fault->what) && read_int(part[2], &fault->load) &&
         read_int(part[3], &fault->image) && part[4] && read_number(part[4], &fault->byte) &&
         read_int(part[5], &fault->times);
}

static bool read_value(const Key *key, char *value, Model *model) {
  void *at = (char *)model + key->at;
  switch (key->kind) {
    case TEXT: return read_text(at, MAX_TEXT, value);
    case PATH: return read_text(at, MAX_PATH, value);
    case NUMBER: return read_int(value, at);
    case NUMBERS: return read_numbers(value, at, (int *)(void *)((char *)model + key->count_at));
    case STATUS: return read_what(value, at);
    case SOURCE_SET: return read_set(value, source_names, SOURCES, at);
    case MODE_SET: return read_set(value, mode_names, MODES, at);
    case FAULT: return read_fault(value, model);
  }
  return false;
}

/* One line into the scanner that it belongs to: "scanner" begins another one. */
static bool read_line(char *line, Model *models, int *count) {
  line[strcspn(line, "\n")] = 0;
  if (!*line || *line == '#') return true;
  char *value = line + strcspn(line, " ");
  if (*value) *value++ = 0;
  const Key *key = keys;
  while (key->name && strcmp(key->name, line)) key++;
  if (!key->name) return false;
  if (key->kind == PATH) {
    if (*count == MAX_SCANNERS) return false;
    memset(&models[(*count)++], 0, sizeof *models);
  }
  return *count > 0 && read_value(key, value, &models[*count - 1]);
}

/* What options and pixels are made of has to be there. */
static bool is_complete(const Model *model) {
  return *model->vendor && *model->model && *model->kind && *model->serial && model->sources && model->modes &&
         model->depth_count && model->resolution_count && (!model->resolution_range || model->resolution_count == 2);
}

static int read_file(FILE *file, const char *path, Model *models) {
  char line[MAX_PATH + MAX_TEXT];
  int count = 0, number = 0;
  while (fgets(line, sizeof line, file)) {
    number++;
    if (read_line(line, models, &count)) continue;
    fprintf(stderr, "dsmsim: %s:%d: not understood: %s\n", path, number, line);
    return -1;
  }
  for (int i = 0; i < count; i++)
    if (!is_complete(&models[i])) {
      fprintf(stderr, "dsmsim: %s: scanner %s is not fully described\n", path, models[i].folder);
      return -1;
    }
  return count;
}

int config_read(Model models[MAX_SCANNERS]) {
  const char *folders = getenv("SANE_CONFIG_DIR");
  if (!folders || !*folders) folders = DEFAULT_FOLDERS;
  char list[2 * MAX_PATH], path[2 * MAX_PATH + sizeof FILE_NAME], *rest;
  /* A colon at the end means: and the default folders (sane(7)). */
  bool open_ended = folders[strlen(folders) - 1] == ':';
  snprintf(list, sizeof list, "%s%s", folders, open_ended ? DEFAULT_FOLDERS : "");
  for (char *folder = strtok_r(list, ":", &rest); folder; folder = strtok_r(NULL, ":", &rest)) {
    snprintf(path, sizeof path, "%s/%s", folder, FILE_NAME);
    FILE *file = fopen(path, "re");
    if (!file) continue;
    int count = read_file(file, path, models);
    fclose(file);
    return count;
  }
  return 0;
}
