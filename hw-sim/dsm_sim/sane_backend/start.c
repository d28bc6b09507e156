/* sane_start: which image comes next, and everything that can be in its way. */
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "scanner.h"

#define MS_NS INT64_C(1000000)
#define UM_PER_INCH 25400
#define PAGE_BYTES 4096
/* What the area is longer than the sheet by rounding does not make the sheet longer. */
#define ROUNDING_UM 1000

static bool is_warm(const Scanner *scanner) {
  return !scanner->model.warming_up_ms || now_ns() >= hardware_number(&scanner->hardware, "warm-at");
}

static bool is_area_empty(const Scanner *scanner) {
  Wanted wanted = wanted_from(&scanner->options, &scanner->model);
  return !wanted.width_px || !wanted.lines;
}

static SANE_Status get_ready(Scanner *scanner) {
  SANE_Status status = scanner_presence(scanner);
  if (!status) status = scanner_path_status(scanner);
  if (!status && !is_warm(scanner)) status = (SANE_Status)scanner->model.warming_up_with;
  if (!status && is_area_empty(scanner)) status = SANE_STATUS_INVAL;
  if (status) return status;
  Source source = options_source(&scanner->options);
  bool is_changed = scanner->has_last_source && scanner->last_source != source;
  int64_t moved_ns = now_ns() + (is_changed ? scanner->model.source_change_ms * MS_NS : 0);
  if (!pace_sleep_until(&scanner->pace, moved_ns)) return SANE_STATUS_CANCELLED;
  scanner->last_source = source;
  scanner->has_last_source = true;
  return SANE_STATUS_GOOD;
}

static Wanted wanted_now(const Scanner *scanner) {
  const Scan *scan = &scanner->scan;
  const Model *model = &scanner->model;
  Wanted wanted = wanted_from(&scanner->options, model);
  wanted.is_upside_down = scan->side == BACK && model->backs_upside_down;
  if (wanted.plane == 0) wanted.plane = scan->plane;
  if (!model->unknown_length || !scan->has_sheet || !scanner_is_feeder(scanner)) return wanted;
  /* The sensor sees the paper end, and the host is told when it has. */
  int64_t end_um = (int64_t)scan->sheet.height_um + model->grey_tail_um;
  int lines = (int)((end_um * wanted.y_dpi + UM_PER_INCH / 2) / UM_PER_INCH) - wanted.top_px;
  if (lines < wanted.lines) wanted.lines = lines < 1 ? 1 : lines;
  return wanted;
}

/* Memory that nobody touches would cost nothing, and what is touched without volatile is not, says the compiler. */
static void leak(int octets) {
  volatile char *lost = octets ? malloc((size_t)octets) : NULL;
  for (int i = 0; lost && i < octets; i += PAGE_BYTES) lost[i] = 1;
}

/* One plane of the image, or all of it. */
static SANE_Status begin_frame(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  scanner_drop_image(scanner);
  Wanted wanted = wanted_now(scanner);
  const Sheet *sheet = scan->has_sheet ? &scan->sheet : NULL;
  if (!image_open(&scan->image, &wanted, sheet, scan->side)) return SANE_STATUS_IO_ERROR;
  scan->line = malloc((size_t)wanted.bytes_per_line);
  if (!scan->line) return SANE_STATUS_NO_MEM;
  scan->line_number = -1;
  scan->parameters = scanner_frame_parameters(&wanted, &scanner->model);
  scan->offset = 0;
  scan->length = (int64_t)wanted.bytes_per_line * wanted.lines;
  pace_lines(&scanner->pace, &scanner->model, wanted.y_dpi, wanted.top_px);
  fault_arm(scanner, 0);
  scan->stage = DELIVERING;
  scanner_log_image(scanner, "image-begin", "lines", wanted.lines);
  leak(scanner->model.leaked_bytes);
  return SANE_STATUS_GOOD;
}

static int pass_um(const Scanner *scanner) {
  const Scan *scan = &scanner->scan;
  Wanted wanted = wanted_now(scanner);
  int64_t end_um = (int64_t)(wanted.top_px + wanted.lines) * UM_PER_INCH / wanted.y_dpi;
  return end_um > scan->sheet.height_um + ROUNDING_UM ? (int)end_um : scan->sheet.height_um;
}

/* The back is seen in the passes of the front. */
static void move_paper(Scanner *scanner, bool follows_another) {
  const Scan *scan = &scanner->scan;
  if (scan->side == BACK) return;
  pace_feed(&scanner->pace, &scanner->model, follows_another, scan->has_back ? 2 : 1, pass_um(scanner));
}

/* The image that would come next. */
typedef struct {
  Sheet sheet;
  bool has_sheet, is_fed;
  Side side;
  int number;
} Next;

static bool takes_both_sides(const Scanner *scanner) { return options_source(&scanner->options) == ADF_DUPLEX; }

static SANE_Status find_next(const Scanner *scanner, Next *next) {
  const Scan *scan = &scanner->scan;
  bool both_sides = takes_both_sides(scanner);
  *next = (Next){.side = FRONT};
  if (!scanner_is_feeder(scanner)) {
    next->has_sheet = hardware_glass(&scanner->hardware, &next->sheet);
    next->number = 1;
    return SANE_STATUS_GOOD;
  }
  if (both_sides && scan->in_batch && scan->has_back) {
    next->sheet = scan->sheet;
    next->side = BACK;
  } else if (!hardware_next_sheet(&scanner->hardware, &next->sheet)) {
    return SANE_STATUS_NO_DOCS;
  } else {
    next->is_fed = true;
  }
  next->has_sheet = true;
  next->number = both_sides ? 2 * next->sheet.number - (next->side == FRONT) : next->sheet.number;
  return SANE_STATUS_GOOD;
}

static void take(Scanner *scanner, const Next *next) {
  Scan *scan = &scanner->scan;
  bool follows_another = scan->in_batch && next->is_fed;
  scan->sheet = next->sheet;
  scan->has_sheet = next->has_sheet;
  scan->side = next->side;
  scan->number = next->number;
  scan->has_back = next->is_fed && takes_both_sides(scanner);
  scan->in_batch = true;
  options_note_double_feed(&scanner->options, false);
  if (next->is_fed) hardware_take_sheet(&scanner->hardware, &next->sheet);
  move_paper(scanner, follows_another);
}

static SANE_Status meet_fault(Scanner *scanner, const Fault *fault, const Next *next) {
  if (fault->what == REPLAY) {
    fault_count(scanner, fault);
    return begin_frame(scanner);
  }
  bool has_fed = fault->what == SANE_STATUS_JAMMED || fault->what == DOUBLE_FEED;
  if (has_fed) take(scanner, next);
  SANE_Status status = fault_happen(scanner, fault);
  if (status) return status;
  if (!has_fed) take(scanner, next);
  return begin_frame(scanner);
}

/* Nothing was fed, but the host is told only when it reads. */
static SANE_Status begin_nothing(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  scanner_drop_image(scanner);
  Wanted wanted = wanted_from(&scanner->options, &scanner->model);
  scan->parameters = scanner_frame_parameters(&wanted, &scanner->model);
  scan->is_missing = true;
  scan->stage = DELIVERING;
  return SANE_STATUS_GOOD;
}

static SANE_Status begin_next(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  const Model *model = &scanner->model;
  if (scan->stage == DELIVERED && !scan->parameters.last_frame) {
    scan->plane++;
    move_paper(scanner, false);
    return begin_frame(scanner);
  }
  Next next;
  scan->plane = 0;
  SANE_Status status = find_next(scanner, &next);
  if (status) return model->no_docs_late ? begin_nothing(scanner) : status;
  bool is_hasty = scan->in_batch && now_ns() - scan->ended_ns < model->hasty_start_ms * MS_NS;
  if (next.is_fed && is_hasty) return SANE_STATUS_NO_DOCS;
  const Fault *fault = fault_find(scanner, AT_START, next.sheet.load, next.number, 0);
  if (fault) return meet_fault(scanner, fault, &next);
  take(scanner, &next);
  return begin_frame(scanner);
}

SANE_Status scanner_start(Scanner *scanner) {
  /* In one step, which divides every sane_cancel made beside this call: those until now count as made before it and
   * end the batch, those from now on stay in the flag and end this start or the read after it. None falls between. */
  bool was_cancelled = pace_forget_cancel(&scanner->pace);
  hardware_log(&scanner->hardware, "start", ", \"source\": \"%s\"", source_names[options_source(&scanner->options)]);
  if (scanner->scan.stage == DELIVERING && !was_cancelled) return scanner_told(scanner, AT_START, SANE_STATUS_INVAL);
  if (was_cancelled) scanner_end_batch(scanner);
  SANE_Status status = get_ready(scanner);
  if (!status) status = begin_next(scanner);
  if (status && status != SANE_STATUS_NO_DOCS) scanner_end_batch(scanner);
  return scanner_told(scanner, AT_START, status);
}
