#include "scanner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

#define MS_NS INT64_C(1000000)
#define SECOND_US INT64_C(1000000)

SANE_Status scanner_told(const Scanner *scanner, Call call, SANE_Status status) {
  if (status != SANE_STATUS_GOOD && status != SANE_STATUS_EOF)
    hardware_log(&scanner->hardware, "status", ", \"call\": \"%s\", \"status\": \"%s\"", call_names[call],
                 config_what_name((int)status));
  return status;
}

void scanner_log_image(const Scanner *scanner, const char *event, const char *amount, int64_t number) {
  const Scan *scan = &scanner->scan;
  hardware_log(&scanner->hardware, event,
               ", \"load\": %d, \"sheet\": %d, \"side\": \"%s\", \"image\": %d, \"plane\": %d, \"%s\": %" PRId64,
               scan->has_sheet ? scan->sheet.load : 0, scan->has_sheet ? scan->sheet.number : 0,
               scan->side == BACK ? "back" : "front", scan->number, scan->plane, amount, number);
}

/* --------------------------------------------------------------------------------------------------- state */

SANE_Status scanner_presence(Scanner *scanner) {
  hardware_look(&scanner->hardware);
  return strcmp(scanner->opened_at, scanner->hardware.address) ? SANE_STATUS_IO_ERROR : SANE_STATUS_GOOD;
}

bool scanner_is_feeder(const Scanner *scanner) {
  Source source = options_source(&scanner->options);
  return source == ADF || source == ADF_DUPLEX;
}

SANE_Status scanner_path_status(const Scanner *scanner) {
  if (!scanner_is_feeder(scanner)) return SANE_STATUS_GOOD;
  if (scanner->hardware.jammed) return SANE_STATUS_JAMMED;
  return scanner->hardware.cover_open ? SANE_STATUS_COVER_OPEN : SANE_STATUS_GOOD;
}

SANE_Parameters scanner_frame_parameters(const Wanted *wanted, const Model *model) {
  SANE_Frame format = wanted->mode != COLOR    ? SANE_FRAME_GRAY
                      : wanted->plane < 0      ? SANE_FRAME_RGB
                                               : (SANE_Frame)(SANE_FRAME_RED + wanted->plane);
  return (SANE_Parameters){
      .format = format,
      .last_frame = wanted->plane < 0 || wanted->plane == PLANES - 1,
      .bytes_per_line = wanted->bytes_per_line,
      .pixels_per_line = wanted->width_px,
      .lines = model->unknown_length ? -1 : wanted->lines,
      .depth = wanted->depth,
  };
}

void scanner_drop_image(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  image_close(&scan->image);
  free(scan->line);
  scan->line = NULL;
  scan->stage = IDLE;
}

void scanner_end_batch(Scanner *scanner) {
  scanner_drop_image(scanner);
  scanner->scan.in_batch = false;
}

/* ------------------------------------------------------------------------------------ open, close, cancel */

/* The first openings after sleep may fail; the one that succeeds wakes it, and the lamp begins to warm up. */
static SANE_Status wake(Scanner *scanner) {
  const Model *model = &scanner->model;
  int64_t failed = hardware_number(&scanner->hardware, "asleep");
  if (failed < 0) return SANE_STATUS_GOOD;
  if (failed < model->opening_fails) {
    hardware_set_number(&scanner->hardware, "asleep", failed + 1);
    return (SANE_Status)model->opening_fails_with;
  }
  hardware_set_number(&scanner->hardware, "asleep", -1);
  if (model->warming_up_ms) hardware_set_number(&scanner->hardware, "warm-at", now_ns() + model->warming_up_ms * MS_NS);
  return SANE_STATUS_GOOD;
}

static SANE_Status open_locked(Scanner *scanner) {
  SANE_Status status = wake(scanner);
  const Fault *fault = status ? NULL : fault_find(scanner, AT_OPEN, 0, 0, 0);
  if (fault) status = fault_happen(scanner, fault);
  if (!status && !pace_open(&scanner->pace)) {
    pace_close(&scanner->pace);
    status = SANE_STATUS_NO_MEM;
  }
  return status;
}

SANE_Status scanner_open(Scanner *scanner) {
  hardware_look(&scanner->hardware);
  if (!hardware_lock(&scanner->hardware)) return scanner_told(scanner, AT_OPEN, SANE_STATUS_DEVICE_BUSY);
  SANE_Status status = open_locked(scanner);
  if (status) {
    hardware_unlock(&scanner->hardware);
    return scanner_told(scanner, AT_OPEN, status);
  }
  strcpy(scanner->opened_at, scanner->hardware.address);
  scanner->cost = (Cost){0};
  memset(&scanner->scan, 0, sizeof scanner->scan);
  if (!scanner->has_options || !scanner->model.keeps_options) options_build(&scanner->options, &scanner->model);
  scanner->has_options = true;
  hardware_log(&scanner->hardware, "open", ", \"address\": \"%s\"", scanner->opened_at);
  return SANE_STATUS_GOOD;
}

void scanner_close(Scanner *scanner) {
  const Fault *fault = fault_find(scanner, AT_CLOSE, 0, 0, 0);
  if (fault) fault_happen(scanner, fault);
  scanner_end_batch(scanner);
  pace_close(&scanner->pace);
  int64_t cpu_us = cost_us(&scanner->cost);
  hardware_log(&scanner->hardware, "close", ", \"cpu_s\": %" PRId64 ".%06" PRId64, cpu_us / SECOND_US,
               cpu_us % SECOND_US);
  *scanner->opened_at = 0;
  hardware_unlock(&scanner->hardware);
}

void scanner_cancel(Scanner *scanner) {
  const Scan *scan = &scanner->scan;
  hardware_log(&scanner->hardware, "cancel", "%s", "");
  const Fault *fault = fault_find(scanner, AT_CANCEL, scan->sheet.load, scan->number, 0);
  /* Whatever else belongs to cancelling is left to the next call: this one may come from a signal handler. */
  pace_cancel(&scanner->pace);
  if (fault) fault_happen(scanner, fault);
}

void scanner_parameters(const Scanner *scanner, SANE_Parameters *parameters) {
  const Scan *scan = &scanner->scan;
  Wanted wanted = wanted_from(&scanner->options, &scanner->model);
  *parameters = scan->stage == DELIVERING ? scan->parameters : scanner_frame_parameters(&wanted, &scanner->model);
}
