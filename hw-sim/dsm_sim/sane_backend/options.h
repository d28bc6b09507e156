/* The options of a scanner: descriptors, values, and what one does to another. */
#ifndef DSMSIM_OPTIONS_H
#define DSMSIM_OPTIONS_H

#include <sane/sane.h>

#include "config.h"
#include "hardware.h"

typedef enum {
  OPTION_COUNT,
  GROUP_STANDARD,
  OPTION_SOURCE,
  OPTION_MODE,
  OPTION_DEPTH,
  OPTION_RESOLUTION,
  OPTION_X_RESOLUTION,
  OPTION_Y_RESOLUTION,
  GROUP_GEOMETRY,
  OPTION_TL_X,
  OPTION_TL_Y,
  OPTION_BR_X,
  OPTION_BR_Y,
  OPTION_PAGE_WIDTH,
  OPTION_PAGE_HEIGHT,
  GROUP_ENHANCEMENT,
  OPTION_BRIGHTNESS,
  OPTION_CONTRAST,
  OPTION_SHARPNESS,
  OPTION_THRESHOLD,
  GROUP_ADVANCED,
  OPTION_DF_ACTION,
  OPTION_SERIAL,
  GROUP_SENSORS,
  OPTION_SCAN,
  OPTION_EMAIL,
  OPTION_FILE,
  OPTION_FUNCTION,
  OPTION_PAGE_LOADED,
  OPTION_COVER_OPEN,
  OPTION_DOUBLE_FEED,
  OPTION_IDS,
} OptionId;

enum { DF_DEFAULT, DF_CONTINUE, DF_STOP };

typedef struct {
  SANE_Option_Descriptor descriptor;
  SANE_Range range;
  SANE_Word words[MAX_LIST + 1];
  const char *strings[MAX_LIST + 1];
  SANE_Word value; /* of a string: its place in the list */
} Option;

typedef struct {
  const Model *model;
  Option all[OPTION_IDS];
  OptionId listed[OPTION_IDS]; /* those that this model has, in the order of their SANE numbers */
  int count;
} Options;

void options_build(Options *options, const Model *model);
/* After a change: ranges, lists and activity of options that depend on others. */
void options_settle(Options *options);

const Option *options_at(const Options *options, SANE_Int number);
SANE_Word options_value(const Options *options, OptionId id);
Source options_source(const Options *options);
Mode options_mode(const Options *options);
/* 1, 8 or 16 bits a sample as they will be delivered. */
int options_depth(const Options *options);

void option_set_range(Option *option, SANE_Word minimum, SANE_Word maximum, SANE_Word quant);
void option_set_words(Option *option, const int *words, int count);
/* The place of a name in the option's list. */
int option_place(const Option *option, const char *name, int otherwise);
SANE_Fixed option_fixed_mm(int um);

void options_note_double_feed(Options *options, bool was_double);

/* Both as sane_control_option. Reading a sensor asks the hardware. */
SANE_Status options_get(const Options *options, SANE_Int number, const Hardware *hardware, void *value);
SANE_Status options_set(Options *options, SANE_Int number, const void *value, SANE_Int *info);

#endif
