#include "options.h"

#include <stdlib.h>
#include <string.h>

#define UM_PER_MM 1000

SANE_Fixed option_fixed_mm(int um) { return (SANE_Fixed)(((int64_t)um * 65536 + UM_PER_MM / 2) / UM_PER_MM); }

void option_set_range(Option *option, SANE_Word minimum, SANE_Word maximum, SANE_Word quant) {
  option->range = (SANE_Range){minimum, maximum, quant};
  option->descriptor.constraint_type = SANE_CONSTRAINT_RANGE;
  option->descriptor.constraint.range = &option->range;
}

void option_set_words(Option *option, const int *words, int count) {
  option->words[0] = count;
  memcpy(option->words + 1, words, (size_t)count * sizeof *words);
  option->descriptor.constraint_type = SANE_CONSTRAINT_WORD_LIST;
  option->descriptor.constraint.word_list = option->words;
}

static SANE_Word within(const Option *option, SANE_Word value) {
  if (value < option->range.min) return option->range.min;
  return value > option->range.max ? option->range.max : value;
}

static void set_active(Option *option, bool is_active) {
  option->descriptor.cap &= ~SANE_CAP_INACTIVE;
  if (!is_active) option->descriptor.cap |= SANE_CAP_INACTIVE;
}

static void limit_axis(Options *options, OptionId near, OptionId far, OptionId page, int source_um) {
  Source source = options_source(options);
  bool by_page = options->model->page_size_first && (source == ADF || source == ADF_DUPLEX);
  option_set_range(&options->all[page], option_fixed_mm(10 * UM_PER_MM), option_fixed_mm(source_um), 0);
  options->all[page].value = within(&options->all[page], options->all[page].value);
  set_active(&options->all[page], by_page);
  SANE_Word limit = by_page ? options->all[page].value : option_fixed_mm(source_um);
  for (OptionId id = near; id <= far; id += far - near) {
    option_set_range(&options->all[id], 0, limit, 0);
    options->all[id].value = within(&options->all[id], options->all[id].value);
  }
}

static void limit_area(Options *options) {
  const Model *model = options->model;
  int width_um = model->feeder_width_um, height_um = model->feeder_height_um;
  if (options_source(options) == FLATBED) width_um = model->glass_width_um, height_um = model->glass_height_um;
  if (options_source(options) == FILM) width_um = model->film_width_um, height_um = model->film_height_um;
  limit_axis(options, OPTION_TL_X, OPTION_BR_X, OPTION_PAGE_WIDTH, width_um);
  limit_axis(options, OPTION_TL_Y, OPTION_BR_Y, OPTION_PAGE_HEIGHT, height_um);
}

/* One bit a sample goes with gray alone; Lineart and Halftone have nothing else. */
static void limit_depth(Options *options) {
  const Model *model = options->model;
  Mode mode = options_mode(options);
  Option *depth = &options->all[OPTION_DEPTH];
  int possible[MAX_LIST], count = 0;
  bool keeps = false;
  for (int i = 0; i < model->depth_count; i++) {
    if (model->depths[i] == 1 && mode == COLOR) continue;
    possible[count++] = model->depths[i];
    keeps = keeps || model->depths[i] == depth->value;
  }
  option_set_words(depth, possible, count);
  if (!keeps) depth->value = possible[0];
  set_active(depth, mode == GRAY || mode == COLOR);
  set_active(&options->all[OPTION_THRESHOLD], mode == LINEART || (mode == GRAY && depth->value == 1));
}

void options_settle(Options *options) {
  limit_area(options);
  limit_depth(options);
}

int option_place(const Option *option, const char *name, int otherwise) {
  for (int i = 0; option->strings[i]; i++)
    if (!strcmp(option->strings[i], name)) return i;
  return otherwise;
}

/* -------------------------------------------------------------------------------------------------- asking */

const Option *options_at(const Options *options, SANE_Int number) {
  return number >= 0 && number < options->count ? &options->all[options->listed[number]] : NULL;
}

SANE_Word options_value(const Options *options, OptionId id) { return options->all[id].value; }

/* The number of what a list of strings stands at, among all names that there are. */
static int among(const Option *option, const char *const *names) {
  int number = 0;
  while (strcmp(names[number], option->strings[option->value])) number++;
  return number;
}

Source options_source(const Options *options) { return (Source)among(&options->all[OPTION_SOURCE], source_names); }

Mode options_mode(const Options *options) { return (Mode)among(&options->all[OPTION_MODE], mode_names); }

int options_depth(const Options *options) {
  return options_mode(options) <= HALFTONE ? 1 : options->all[OPTION_DEPTH].value;
}

void options_note_double_feed(Options *options, bool was_double) {
  options->all[OPTION_DOUBLE_FEED].value = was_double;
}

static SANE_Word sensed(const Options *options, OptionId id, const Hardware *hardware) {
  if (id == OPTION_PAGE_LOADED) return hardware_has_sheets(hardware);
  if (id == OPTION_COVER_OPEN) return hardware->cover_open;
  if (id < OPTION_SCAN || id > OPTION_FUNCTION) return options->all[id].value;
  const char *button = options->all[id].descriptor.name;
  bool is_pressed = hardware_pressed(hardware, button);
  if (is_pressed) hardware_log(hardware, "button", ", \"button\": \"%s\"", button);
  return is_pressed;
}

SANE_Status options_get(const Options *options, SANE_Int number, const Hardware *hardware, void *value) {
  OptionId id = options->listed[number];
  const Option *option = &options->all[id];
  if (!(option->descriptor.cap & SANE_CAP_SOFT_DETECT)) return SANE_STATUS_INVAL;
  if (option->descriptor.type == SANE_TYPE_STRING) strcpy(value, option->strings[option->value]);
  else *(SANE_Word *)value = sensed(options, id, hardware);
  return SANE_STATUS_GOOD;
}

/* ------------------------------------------------------------------------------------------------- setting */

static SANE_Word nearest_word(const Option *option, SANE_Word wanted) {
  SANE_Word best = option->words[1];
  for (int i = 2; i <= option->words[0]; i++)
    if (llabs((long long)option->words[i] - wanted) < llabs((long long)best - wanted)) best = option->words[i];
  return best;
}

/* What the option makes of a wish; false where it makes nothing of it. */
static bool constrain(const Option *option, const void *wish, SANE_Word *value) {
  if (option->descriptor.type == SANE_TYPE_STRING) {
    *value = option_place(option, wish, -1);
    return *value >= 0;
  }
  SANE_Word wanted = *(const SANE_Word *)wish;
  bool by_range = option->descriptor.constraint_type == SANE_CONSTRAINT_RANGE;
  *value = by_range ? within(option, wanted) : nearest_word(option, wanted);
  return true;
}

static bool is_length(OptionId id) { return id >= OPTION_TL_X && id <= OPTION_PAGE_HEIGHT; }

static SANE_Word rounded(const Options *options, OptionId id, SANE_Word value) {
  SANE_Word step = option_fixed_mm(options->model->inexact_um);
  return step && is_length(id) ? value / step * step : value;
}

static SANE_Int consequences(OptionId id) {
  switch (id) {
    case OPTION_SOURCE:
    case OPTION_MODE:
    case OPTION_DEPTH:
    case OPTION_RESOLUTION:
    case OPTION_PAGE_WIDTH:
    case OPTION_PAGE_HEIGHT: return SANE_INFO_RELOAD_OPTIONS | SANE_INFO_RELOAD_PARAMS;
    default: return id < GROUP_ENHANCEMENT ? SANE_INFO_RELOAD_PARAMS : 0;
  }
}

SANE_Status options_set(Options *options, SANE_Int number, const void *value, SANE_Int *info) {
  OptionId id = options->listed[number];
  Option *option = &options->all[id];
  SANE_Int cap = option->descriptor.cap;
  SANE_Word word;
  if (!(cap & SANE_CAP_SOFT_SELECT) || cap & SANE_CAP_INACTIVE || !constrain(option, value, &word))
    return SANE_STATUS_INVAL;
  option->value = rounded(options, id, word);
  if (id == OPTION_RESOLUTION) options->all[OPTION_X_RESOLUTION].value = options->all[OPTION_Y_RESOLUTION].value = word;
  options_settle(options);
  SANE_Int told = consequences(id);
  if (option->descriptor.type != SANE_TYPE_STRING && option->value != *(const SANE_Word *)value)
    told |= SANE_INFO_INEXACT;
  if (options->model->inexact_um) told |= SANE_INFO_INEXACT | SANE_INFO_RELOAD_OPTIONS | SANE_INFO_RELOAD_PARAMS;
  if (info) *info = told;
  return SANE_STATUS_GOOD;
}
