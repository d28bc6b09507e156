/* A SANE backend for tests: one device, odd:0, whose options and moods come from the environment variable
 * ODD, as "key=value;key=value". Lists are separated by "|". Every call is noted in the file ODD_LOG.
 *
 *   source, mode, depth, resolution, x-resolution, y-resolution   string or number lists; absent: no option
 *   resolution-range=min:max:quant     a range instead, with fixed=1 as SANE_FIXED
 *   adf-mode=Simplex|Duplex            active only while the source has "ADF" in its name
 *   duplex=1                           a switch, likewise
 *   width=, height=                    of the glass, in mm; pixels=1: in pixels; absent: no geometry options
 *   quant=, page-height=               of the geometry; the longest sheet (height grows with it)
 *   resolution-text=300dpi|600dpi      a list of strings instead
 *   clamp=dpi, deliver=dpi             resolution set, or delivered, in silence, whatever is asked for
 *   pages=n, pad=n, lines=-1, rows=n   sheets in the feeder; padding a line; length told; lines really sent
 *   busy-open, busy-start, warm-start, inval-start = n   so many refusals before the call succeeds
 *   late=1                             NO_DOCS from sane_read, not from sane_start
 *   fail=page:byte:status              this status once so many bytes of this page have been read
 *   stray=n                            bytes after the last line
 *   implied-depth=n, kind=text         depth without an option; SANE_Device.type
 *   refuse-open=status                 always, or refuse-opens=n times
 *   block=1                            sane_read blocks until sane_cancel, and then gives
 *   after-cancel=status                this
 *   unstable=n                         so many times sane_get_parameters gives another length
 *   zeros=n                            so many reads that succeed with nothing, before each byte
 *   numbers=name:min:max:quant:value|…  further options, of whole numbers
 *   choices=name:one:another|…         of strings, switches=name:value|… of 0 or 1; sensors=… that can only be read,
 *                                      where 2 is whether there is paper after the first sheet
 *   inactive=name@mode|…               what cannot be used while the mode, or the source, is this
 *   hasty=n                            so many NO_DOCS before each sheet but the first
 *   keeps=1                            values outlive sane_close
 */
/* libsane looks for the calls of a backend under its name. */
#define sane_init sane_odd_init
#define sane_exit sane_odd_exit
#define sane_get_devices sane_odd_get_devices
#define sane_open sane_odd_open
#define sane_close sane_odd_close
#define sane_get_option_descriptor sane_odd_get_option_descriptor
#define sane_control_option sane_odd_control_option
#define sane_get_parameters sane_odd_get_parameters
#define sane_start sane_odd_start
#define sane_read sane_odd_read
#define sane_cancel sane_odd_cancel
#define sane_set_io_mode sane_odd_set_io_mode
#define sane_get_select_fd sane_odd_get_select_fd
#include <sane/sane.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OPTIONS 32
#define MAX_LIST 16
#define FOLLOWS_PAPER 2

typedef struct {
  SANE_Option_Descriptor d;
  SANE_Word word;
  char text[64];
  SANE_Range range;
  SANE_Word words[MAX_LIST + 1];
  const char *strings[MAX_LIST + 1];
} Option;

static Option options[MAX_OPTIONS];
static int option_count;
static int opened, started, page, offset, busy_open, busy_start, warm_start, inval_start, zeros, unstable;
static int hasty, failed_open;
static volatile int cancelled;

static void note(const char *what) {
  const char *path = getenv("ODD_LOG");
  FILE *log = path ? fopen(path, "a") : NULL;
  if (!log) return;
  fprintf(log, "%s\n", what);
  fclose(log);
}

static const char *setting(const char *key) {
  static char value[512];
  const char *at = getenv("ODD");
  size_t length = strlen(key);
  while (at && *at) {
    if (!strncmp(at, key, length) && at[length] == '=') {
      snprintf(value, sizeof value, "%s", at + length + 1);
      value[strcspn(value, ";")] = 0;
      return value;
    }
    at = strchr(at, ';');
    if (at) at++;
  }
  return NULL;
}

static int number(const char *key, int otherwise) {
  const char *value = setting(key);
  return value ? atoi(value) : otherwise;
}

static Option *find(const char *name) {
  for (int i = 1; i < option_count; i++)
    if (!strcmp(options[i].d.name, name)) return &options[i];
  return NULL;
}

static Option *add(const char *name, SANE_Value_Type type, SANE_Unit unit) {
  Option *o = &options[option_count++];
  memset(o, 0, sizeof *o);
  o->d.name = o->d.title = o->d.desc = name;
  o->d.type = type;
  o->d.unit = unit;
  o->d.size = type == SANE_TYPE_STRING ? sizeof o->text : sizeof(SANE_Word);
  o->d.cap = SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT;
  return o;
}

static void add_strings(const char *name) {
  const char *list = setting(name);
  if (!list) return;
  Option *o = add(name, SANE_TYPE_STRING, SANE_UNIT_NONE);
  char *copy = strdup(list);
  int n = 0;
  for (char *part = strtok(copy, "|"); part && n < MAX_LIST; part = strtok(NULL, "|")) o->strings[n++] = part;
  o->d.constraint_type = SANE_CONSTRAINT_STRING_LIST;
  o->d.constraint.string_list = o->strings;
  snprintf(o->text, sizeof o->text, "%s", o->strings[0]);
}

static void add_words(const char *name, SANE_Unit unit) {
  const char *list = setting(name);
  if (!list) return;
  Option *o = add(name, SANE_TYPE_INT, unit);
  char *copy = strdup(list);
  int n = 0;
  for (char *part = strtok(copy, "|"); part && n < MAX_LIST; part = strtok(NULL, "|")) o->words[++n] = atoi(part);
  o->words[0] = n;
  o->d.constraint_type = SANE_CONSTRAINT_WORD_LIST;
  o->d.constraint.word_list = o->words;
  o->word = o->words[1];
  free(copy);
}

static Option *add_range(const char *name, SANE_Value_Type type, SANE_Unit unit, double min, double max, double quant) {
  Option *o = add(name, type, unit);
  double scale = type == SANE_TYPE_FIXED ? 65536 : 1;
  o->range.min = min * scale;
  o->range.max = max * scale;
  o->range.quant = quant * scale;
  o->d.constraint_type = SANE_CONSTRAINT_RANGE;
  o->d.constraint.range = &o->range;
  o->word = o->range.min;
  return o;
}

static void add_geometry(void) {
  const char *w = setting("width");
  if (!w) return;
  double width = atof(w), height = atof(setting("height")), quant = setting("quant") ? atof(setting("quant")) : 0;
  int pixels = number("pixels", 0);
  SANE_Value_Type type = pixels ? SANE_TYPE_INT : SANE_TYPE_FIXED;
  SANE_Unit unit = pixels ? SANE_UNIT_PIXEL : SANE_UNIT_MM;
  add_range("tl-x", type, unit, 0, width, quant);
  add_range("tl-y", type, unit, 0, height, quant);
  Option *br = add_range("br-x", type, unit, 0, width, quant);
  br->word = br->range.max;
  br = add_range("br-y", type, unit, 0, height, quant);
  br->word = br->range.max;
  if (setting("page-height"))
    add_range("page-height", type, unit, 0, atof(setting("page-height")), 0)->word = br->range.max;
}

/* Words of a list, each "name:further:further"; the next one's name, with what follows it in *rest. */
static char *next_word(char **list, char **rest) {
  char *word = strsep(list, "|");
  if (!word) return NULL;
  *rest = strchr(word, ':');
  if (*rest) *(*rest)++ = 0;
  return word;
}

static char *copy_of(const char *key) {
  const char *value = setting(key);
  return value ? strdup(value) : NULL;
}

static void add_numbers(void) {
  char *list = copy_of("numbers"), *rest;
  for (char *name; list && (name = next_word(&list, &rest));) {
    double min, max, quant;
    int value;
    sscanf(rest, "%lf:%lf:%lf:%d", &min, &max, &quant, &value);
    add_range(name, SANE_TYPE_INT, SANE_UNIT_NONE, min, max, quant)->word = value;
  }
}

static void add_choices(void) {
  char *list = copy_of("choices"), *rest;
  for (char *name; list && (name = next_word(&list, &rest));) {
    Option *o = add(name, SANE_TYPE_STRING, SANE_UNIT_NONE);
    for (int n = 0; rest && n < MAX_LIST; n++) o->strings[n] = strsep(&rest, ":");
    o->d.constraint_type = SANE_CONSTRAINT_STRING_LIST;
    o->d.constraint.string_list = o->strings;
    snprintf(o->text, sizeof o->text, "%s", o->strings[0]);
  }
}

static void add_switches(const char *key, SANE_Int cap) {
  char *list = copy_of(key), *rest;
  for (char *name; list && (name = next_word(&list, &rest));) {
    Option *o = add(name, SANE_TYPE_BOOL, SANE_UNIT_NONE);
    o->word = atoi(rest);
    o->d.cap = cap;
  }
}

static int is_set_to(const char *option, const char *value) {
  Option *o = find(option);
  return o && !strcmp(o->text, value);
}

static void deactivate(void) {
  char *list = copy_of("inactive");
  for (char *word; list && (word = strsep(&list, "|"));) {
    char *when = strchr(word, '@');
    *when++ = 0;
    Option *o = find(word);
    o->d.cap &= ~SANE_CAP_INACTIVE;
    if (is_set_to("mode", when) || is_set_to("source", when)) o->d.cap |= SANE_CAP_INACTIVE;
  }
}

static void activate(void) {
  Option *source = find("source"), *mode = find("adf-mode"), *duplex = find("duplex");
  int feeder = !source || strstr(source->text, "ADF") != NULL;
  Option *both[] = {mode, duplex};
  for (int i = 0; i < 2; i++)
    if (both[i]) both[i]->d.cap = feeder ? SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT
                                         : SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT | SANE_CAP_INACTIVE;
  deactivate();
}

static void build(void) {
  option_count = 1;
  memset(&options[0], 0, sizeof options[0]);
  options[0].d.name = "";
  options[0].d.type = SANE_TYPE_INT;
  options[0].d.size = sizeof(SANE_Word);
  options[0].d.cap = SANE_CAP_SOFT_DETECT;
  add_strings("source");
  add_strings("adf-mode");
  if (number("duplex", 0)) add("duplex", SANE_TYPE_BOOL, SANE_UNIT_NONE);
  add_strings("mode");
  add_words("depth", SANE_UNIT_BIT);
  add_words("resolution", SANE_UNIT_DPI);
  add_strings("resolution-text");
  if (find("resolution-text")) find("resolution-text")->d.name = "resolution";
  if (setting("resolution-range")) {
    double min, max, quant;
    sscanf(setting("resolution-range"), "%lf:%lf:%lf", &min, &max, &quant);
    add_range("resolution", number("fixed", 0) ? SANE_TYPE_FIXED : SANE_TYPE_INT, SANE_UNIT_DPI, min, max, quant);
  }
  add_words("x-resolution", SANE_UNIT_DPI);
  add_words("y-resolution", SANE_UNIT_DPI);
  add_geometry();
  add("swcrop", SANE_TYPE_BOOL, SANE_UNIT_NONE)->word = SANE_TRUE;
  add_numbers();
  add_choices();
  add_switches("switches", SANE_CAP_SOFT_SELECT | SANE_CAP_SOFT_DETECT);
  add_switches("sensors", SANE_CAP_HARD_SELECT | SANE_CAP_SOFT_DETECT);
  activate();
}

static double value_of(const char *name, double otherwise) {
  Option *o = find(name);
  if (!o) return otherwise;
  if (o->d.type == SANE_TYPE_STRING) return atof(o->text);
  return o->d.type == SANE_TYPE_FIXED ? o->word / 65536.0 : o->word;
}

static int sheets(void) {
  Option *source = find("source");
  if (source && !strstr(source->text, "ADF") && !strstr(source->text, "Duplex")) return 1 << 30;
  return number("pages", 3);
}

SANE_Status sane_init(SANE_Int *version, SANE_Auth_Callback authorize) {
  (void)authorize;
  if (version) *version = SANE_VERSION_CODE(1, 0, 0);
  busy_open = number("busy-open", 0);
  busy_start = number("busy-start", 0);
  warm_start = number("warm-start", 0);
  inval_start = number("inval-start", 0);
  unstable = number("unstable", 0);
  return SANE_STATUS_GOOD;
}

void sane_exit(void) { note("exit"); }

SANE_Status sane_get_devices(const SANE_Device ***list, SANE_Bool local) {
  static SANE_Device device = {"0", "Odd", "oddity", "virtual device"};
  static const SANE_Device *devices[2] = {&device, NULL};
  (void)local;
  if (setting("kind")) device.type = strdup(setting("kind"));
  *list = devices;
  return SANE_STATUS_GOOD;
}

SANE_Status sane_open(SANE_String_Const name, SANE_Handle *handle) {
  if (strcmp(name, "0") && *name) return SANE_STATUS_INVAL;
  if (opened) return SANE_STATUS_DEVICE_BUSY;
  if (busy_open-- > 0) return SANE_STATUS_DEVICE_BUSY;
  if (number("refuse-open", 0) && failed_open++ < number("refuse-opens", 1 << 30)) return number("refuse-open", 0);
  note("open");
  if (!option_count || !number("keeps", 0)) build();
  opened = 1;
  page = 0;
  *handle = &options;
  return SANE_STATUS_GOOD;
}

void sane_close(SANE_Handle handle) {
  (void)handle;
  note("close");
  opened = 0;
}

const SANE_Option_Descriptor *sane_get_option_descriptor(SANE_Handle handle, SANE_Int index) {
  (void)handle;
  return index >= 0 && index < option_count ? &options[index].d : NULL;
}

SANE_Status sane_control_option(SANE_Handle handle, SANE_Int index, SANE_Action action, void *value, SANE_Int *info) {
  (void)handle;
  if (index < 0 || index >= option_count) return SANE_STATUS_INVAL;
  Option *o = &options[index];
  int is_sensor = o->d.cap & SANE_CAP_HARD_SELECT;
  if (started && !is_sensor) return SANE_STATUS_DEVICE_BUSY;
  if (info) *info = 0;
  if (o->d.cap & SANE_CAP_INACTIVE) return SANE_STATUS_INVAL;
  if (action == SANE_ACTION_GET_VALUE) {
    if (index == 0) *(SANE_Word *)value = option_count;
    else if (o->d.type == SANE_TYPE_STRING) strcpy(value, o->text);
    else *(SANE_Word *)value = o->word;
    if (is_sensor) note("sense");
    if (is_sensor && o->word == FOLLOWS_PAPER) *(SANE_Word *)value = page && page < sheets();
    return SANE_STATUS_GOOD;
  }
  char line[160];
  if (o->d.type == SANE_TYPE_STRING) {
    snprintf(o->text, sizeof o->text, "%s", (char *)value);
    snprintf(line, sizeof line, "set %s=%s", o->d.name, o->text);
  } else {
    o->word = *(SANE_Word *)value;
    if (!strcmp(o->d.name, "resolution") && number("clamp", 0))
      o->word = number("clamp", 0) * (o->d.type == SANE_TYPE_FIXED ? 65536 : 1);
    snprintf(line, sizeof line, "set %s=%g", o->d.name, o->d.type == SANE_TYPE_FIXED ? o->word / 65536.0 : o->word);
  }
  note(line);
  if (!strcmp(o->d.name, "page-height")) {
    find("br-y")->range.max = o->word;
    find("tl-y")->range.max = o->word;
  }
  activate();
  if (info) *info = SANE_INFO_RELOAD_OPTIONS | SANE_INFO_RELOAD_PARAMS;
  return SANE_STATUS_GOOD;
}

SANE_Status sane_get_parameters(SANE_Handle handle, SANE_Parameters *p) {
  (void)handle;
  Option *mode = find("mode");
  int color = mode && strstr(mode->text, "olor") != NULL;
  int lineart = mode && strstr(mode->text, "ineart") != NULL;
  double dpi = number("deliver", value_of("resolution", value_of("x-resolution", 100)));
  double dpi_y = number("deliver", value_of("y-resolution", dpi));
  double scale = number("pixels", 0) ? 1 : dpi / 25.4, scale_y = number("pixels", 0) ? 1 : dpi_y / 25.4;
  p->format = color ? SANE_FRAME_RGB : SANE_FRAME_GRAY;
  p->last_frame = SANE_TRUE;
  p->depth = lineart ? 1 : value_of("depth", number("implied-depth", 8));
  p->pixels_per_line = (value_of("br-x", 50) - value_of("tl-x", 0)) * scale;
  p->lines = number("lines", (value_of("br-y", 50) - value_of("tl-y", 0)) * scale_y);
  if (unstable > 0) p->lines += unstable--;
  p->bytes_per_line = (p->pixels_per_line * (color ? 3 : 1) * p->depth + 7) / 8 + number("pad", 0);
  return SANE_STATUS_GOOD;
}

SANE_Status sane_start(SANE_Handle handle) {
  (void)handle;
  if (busy_start-- > 0) return SANE_STATUS_DEVICE_BUSY;
  if (warm_start-- > 0) return 12;
  if (inval_start-- > 0) return SANE_STATUS_INVAL;
  note("start");
  if (page >= sheets() && !number("late", 0)) {
    page = 0;
    return SANE_STATUS_NO_DOCS;
  }
  if (page && hasty-- > 0) return SANE_STATUS_NO_DOCS;
  hasty = number("hasty", 0);
  page++;
  offset = 0;
  started = 1;
  cancelled = 0;
  zeros = number("zeros", 0);
  return SANE_STATUS_GOOD;
}

static SANE_Status failure(void) {
  int at_page, at_byte, status;
  if (setting("fail") && sscanf(setting("fail"), "%d:%d:%d", &at_page, &at_byte, &status) == 3)
    if (page == at_page && offset >= at_byte) return status;
  return SANE_STATUS_GOOD;
}

SANE_Status sane_read(SANE_Handle handle, SANE_Byte *data, SANE_Int max, SANE_Int *length) {
  SANE_Parameters p;
  *length = 0;
  if (!started) return SANE_STATUS_INVAL;
  if (page > sheets()) {
    page = 0;
    started = 0;
    return SANE_STATUS_NO_DOCS;
  }
  while (number("block", 0) && !cancelled) usleep(1000);
  if (cancelled) return number("after-cancel", SANE_STATUS_CANCELLED);
  if (failure()) return failure();
  if (zeros-- > 0) return SANE_STATUS_GOOD;
  sane_get_parameters(handle, &p);
  int total = number("rows", p.lines) * p.bytes_per_line + number("stray", 0);
  if (offset >= total) {
    started = 0;
    return SANE_STATUS_EOF;
  }
  int n = total - offset < max ? total - offset : max;
  if (n > 1000) n = 1000;
  for (int i = 0; i < n; i++) data[i] = (offset + i) * 7 + page;
  offset += n;
  *length = n;
  return SANE_STATUS_GOOD;
}

void sane_cancel(SANE_Handle handle) {
  (void)handle;
  note("cancel");
  cancelled = 1;
  started = 0;
}

SANE_Status sane_set_io_mode(SANE_Handle handle, SANE_Bool non_blocking) {
  (void)handle;
  return non_blocking ? SANE_STATUS_UNSUPPORTED : SANE_STATUS_GOOD;
}

SANE_Status sane_get_select_fd(SANE_Handle handle, SANE_Int *fd) {
  (void)handle;
  (void)fd;
  return SANE_STATUS_UNSUPPORTED;
}
