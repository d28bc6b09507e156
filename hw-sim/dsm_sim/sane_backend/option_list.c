/* Which options a model has, and what they are at first. */
#include <sane/saneopts.h>
#include <string.h>

#include "options.h"

/* What is offered before page-width and page-height are raised (US Letter). */
#define FIRST_WIDTH_UM 215900
#define FIRST_HEIGHT_UM 279400
#define DEFAULT_WIDTH_UM 210000
#define DEFAULT_HEIGHT_UM 297000

#define SETTABLE (SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT)
#define SENSOR (SANE_CAP_HARD_SELECT | SANE_CAP_SOFT_DETECT | SANE_CAP_ADVANCED)

static Option *add(Options *options, OptionId id, const char *name, const char *title, const char *description,
                   SANE_Value_Type type, SANE_Int capabilities) {
  Option *option = &options->all[id];
  SANE_Option_Descriptor *descriptor = &option->descriptor;
  descriptor->name = name;
  descriptor->title = title;
  descriptor->desc = description;
  descriptor->type = type;
  descriptor->size = type == SANE_TYPE_GROUP ? 0 : (SANE_Int)sizeof(SANE_Word);
  descriptor->cap = capabilities;
  options->listed[options->count++] = id;
  return option;
}

static void add_group(Options *options, OptionId id, const char *name, const char *title, const char *description) {
  add(options, id, name, title, description, SANE_TYPE_GROUP, 0);
}

static void set_strings(Option *option, const char *const *names, int count, int set) {
  int listed = 0;
  size_t longest = 0;
  for (int i = 0; i < count; i++) {
    if (!(set >> i & 1)) continue;
    option->strings[listed++] = names[i];
    if (strlen(names[i]) > longest) longest = strlen(names[i]);
  }
  option->descriptor.size = (SANE_Int)longest + 1;
  option->descriptor.constraint_type = SANE_CONSTRAINT_STRING_LIST;
  option->descriptor.constraint.string_list = option->strings;
}

static void add_resolution(Options *options, OptionId id, const char *name, const char *title, const char *about) {
  const Model *model = options->model;
  Option *option = add(options, id, name, title, about, SANE_TYPE_INT, SETTABLE);
  option->descriptor.unit = SANE_UNIT_DPI;
  if (model->resolution_range) option_set_range(option, model->resolutions[0], model->resolutions[1], 1);
  else option_set_words(option, model->resolutions, model->resolution_count);
}

static void add_length(Options *options, OptionId id, const char *name, const char *title, const char *about) {
  add(options, id, name, title, about, SANE_TYPE_FIXED, SETTABLE)->descriptor.unit = SANE_UNIT_MM;
}

static void add_percent(Options *options, OptionId id, const char *name, const char *title, const char *about,
                        int low) {
  Option *option = add(options, id, name, title, about, SANE_TYPE_INT, SETTABLE);
  option->descriptor.unit = SANE_UNIT_PERCENT;
  option_set_range(option, low, 100, 1);
}

static void add_standard(Options *options) {
  const Model *model = options->model;
  add_group(options, GROUP_STANDARD, SANE_NAME_STANDARD, SANE_TITLE_STANDARD, SANE_DESC_STANDARD);
  set_strings(add(options, OPTION_SOURCE, SANE_NAME_SCAN_SOURCE, SANE_TITLE_SCAN_SOURCE, SANE_DESC_SCAN_SOURCE,
                  SANE_TYPE_STRING, SETTABLE),
              source_names, SOURCES, model->sources);
  set_strings(add(options, OPTION_MODE, SANE_NAME_SCAN_MODE, SANE_TITLE_SCAN_MODE, SANE_DESC_SCAN_MODE,
                  SANE_TYPE_STRING, SETTABLE),
              mode_names, MODES, model->modes);
  add(options, OPTION_DEPTH, SANE_NAME_BIT_DEPTH, SANE_TITLE_BIT_DEPTH, SANE_DESC_BIT_DEPTH, SANE_TYPE_INT, SETTABLE)
      ->descriptor.unit = SANE_UNIT_BIT;
  add_resolution(options, OPTION_RESOLUTION, SANE_NAME_SCAN_RESOLUTION, SANE_TITLE_SCAN_RESOLUTION,
                 SANE_DESC_SCAN_RESOLUTION);
  if (!model->separate_resolutions) return;
  add_resolution(options, OPTION_X_RESOLUTION, SANE_NAME_SCAN_X_RESOLUTION, SANE_TITLE_SCAN_X_RESOLUTION,
                 SANE_DESC_SCAN_X_RESOLUTION);
  add_resolution(options, OPTION_Y_RESOLUTION, SANE_NAME_SCAN_Y_RESOLUTION, SANE_TITLE_SCAN_Y_RESOLUTION,
                 SANE_DESC_SCAN_Y_RESOLUTION);
}

static void add_geometry(Options *options) {
  add_group(options, GROUP_GEOMETRY, SANE_NAME_GEOMETRY, SANE_TITLE_GEOMETRY, SANE_DESC_GEOMETRY);
  add_length(options, OPTION_TL_X, SANE_NAME_SCAN_TL_X, SANE_TITLE_SCAN_TL_X, SANE_DESC_SCAN_TL_X);
  add_length(options, OPTION_TL_Y, SANE_NAME_SCAN_TL_Y, SANE_TITLE_SCAN_TL_Y, SANE_DESC_SCAN_TL_Y);
  add_length(options, OPTION_BR_X, SANE_NAME_SCAN_BR_X, SANE_TITLE_SCAN_BR_X, SANE_DESC_SCAN_BR_X);
  add_length(options, OPTION_BR_Y, SANE_NAME_SCAN_BR_Y, SANE_TITLE_SCAN_BR_Y, SANE_DESC_SCAN_BR_Y);
  if (!options->model->page_size_first) return;
  add_length(options, OPTION_PAGE_WIDTH, SANE_NAME_PAGE_WIDTH, SANE_TITLE_PAGE_WIDTH, SANE_DESC_PAGE_WIDTH);
  add_length(options, OPTION_PAGE_HEIGHT, SANE_NAME_PAGE_HEIGHT, SANE_TITLE_PAGE_HEIGHT, SANE_DESC_PAGE_HEIGHT);
}

static void add_enhancement(Options *options) {
  add_group(options, GROUP_ENHANCEMENT, SANE_NAME_ENHANCEMENT, SANE_TITLE_ENHANCEMENT, SANE_DESC_ENHANCEMENT);
  add_percent(options, OPTION_BRIGHTNESS, SANE_NAME_BRIGHTNESS, SANE_TITLE_BRIGHTNESS, SANE_DESC_BRIGHTNESS, -100);
  add_percent(options, OPTION_CONTRAST, SANE_NAME_CONTRAST, SANE_TITLE_CONTRAST, SANE_DESC_CONTRAST, -100);
  add_percent(options, OPTION_SHARPNESS, "sharpness", "Sharpness",
              "How far edges are sharpened (above 0) or softened (below 0).", -100);
  add_percent(options, OPTION_THRESHOLD, SANE_NAME_THRESHOLD, SANE_TITLE_THRESHOLD, SANE_DESC_THRESHOLD, 0);
}

static void add_advanced(Options *options) {
  static const char *const actions[] = {[DF_DEFAULT] = "Default", [DF_CONTINUE] = "Continue", [DF_STOP] = "Stop"};
  add_group(options, GROUP_ADVANCED, SANE_NAME_ADVANCED, SANE_TITLE_ADVANCED, SANE_DESC_ADVANCED);
  if (options->model->double_feed_options)
    set_strings(add(options, OPTION_DF_ACTION, "df-action", "Double feed action",
                    "What to do when two sheets are fed at once.", SANE_TYPE_STRING, SETTABLE | SANE_CAP_ADVANCED),
                actions, 3, 7);
  Option *serial = add(options, OPTION_SERIAL, "serial-number", "Serial number", "The serial number of the scanner.",
                       SANE_TYPE_STRING, SANE_CAP_SOFT_DETECT | SANE_CAP_ADVANCED);
  serial->strings[0] = options->model->serial;
  serial->descriptor.size = (SANE_Int)strlen(options->model->serial) + 1;
}

static void add_sensors(Options *options) {
  add_group(options, GROUP_SENSORS, SANE_NAME_SENSORS, SANE_TITLE_SENSORS, SANE_DESC_SENSORS);
  add(options, OPTION_SCAN, SANE_NAME_SCAN, SANE_TITLE_SCAN, SANE_DESC_SCAN, SANE_TYPE_BOOL, SENSOR);
  add(options, OPTION_EMAIL, SANE_NAME_EMAIL, SANE_TITLE_EMAIL, SANE_DESC_EMAIL, SANE_TYPE_BOOL, SENSOR);
  add(options, OPTION_FILE, "file", "File button", "File button", SANE_TYPE_BOOL, SENSOR);
  add(options, OPTION_FUNCTION, "function", "Function button", "Function button", SANE_TYPE_BOOL, SENSOR);
  add(options, OPTION_PAGE_LOADED, SANE_NAME_PAGE_LOADED, SANE_TITLE_PAGE_LOADED, SANE_DESC_PAGE_LOADED,
      SANE_TYPE_BOOL, SENSOR);
  add(options, OPTION_COVER_OPEN, SANE_NAME_COVER_OPEN, SANE_TITLE_COVER_OPEN, SANE_DESC_COVER_OPEN, SANE_TYPE_BOOL,
      SENSOR);
  if (options->model->double_feed_options)
    add(options, OPTION_DOUBLE_FEED, "double-feed", "Double feed", "Whether two sheets were fed at once.",
        SANE_TYPE_BOOL, SENSOR);
}

static bool lists(const Model *model, int resolution) {
  for (int i = 0; i < model->resolution_count; i++)
    if (model->resolutions[i] == resolution) return true;
  return false;
}

static void set_defaults(Options *options) {
  const Model *model = options->model;
  Option *all = options->all;
  int dpi = model->resolution_range || lists(model, 300) ? 300 : model->resolutions[0];
  all[OPTION_MODE].value = option_place(&all[OPTION_MODE], mode_names[COLOR], 0);
  all[OPTION_DEPTH].value = 8;
  all[OPTION_RESOLUTION].value = all[OPTION_X_RESOLUTION].value = all[OPTION_Y_RESOLUTION].value = dpi;
  all[OPTION_BR_X].value = option_fixed_mm(DEFAULT_WIDTH_UM);
  all[OPTION_BR_Y].value = option_fixed_mm(DEFAULT_HEIGHT_UM);
  all[OPTION_PAGE_WIDTH].value = option_fixed_mm(FIRST_WIDTH_UM);
  all[OPTION_PAGE_HEIGHT].value = option_fixed_mm(FIRST_HEIGHT_UM);
  all[OPTION_THRESHOLD].value = 50;
  if (model->resolution_range)
    all[OPTION_RESOLUTION].value = all[OPTION_X_RESOLUTION].value = all[OPTION_Y_RESOLUTION].value =
        dpi < model->resolutions[0] ? model->resolutions[0] : dpi > model->resolutions[1] ? model->resolutions[1] : dpi;
}

void options_build(Options *options, const Model *model) {
  memset(options, 0, sizeof *options);
  options->model = model;
  add(options, OPTION_COUNT, SANE_NAME_NUM_OPTIONS, SANE_TITLE_NUM_OPTIONS, SANE_DESC_NUM_OPTIONS, SANE_TYPE_INT,
      SANE_CAP_SOFT_DETECT);
  add_standard(options);
  add_geometry(options);
  add_enhancement(options);
  add_advanced(options);
  add_sensors(options);
  options->all[OPTION_COUNT].value = options->count;
  set_defaults(options);
  options_settle(options);
}
