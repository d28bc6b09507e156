#include "fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fault_file(const Scanner *scanner, const Fault *fault, char name[MAX_ENTRY]) {
  snprintf(name, MAX_ENTRY, "faults/%d", (int)(fault - scanner->model.faults));
}

static bool is_exhausted(const Scanner *scanner, const Fault *fault) {
  char name[MAX_ENTRY];
  fault_file(scanner, fault, name);
  return fault->times && hardware_number(&scanner->hardware, name) >= fault->times;
}

/* Where nothing was scanned before there is nothing to repeat. */
static bool is_possible(const Scanner *scanner, const Fault *fault) {
  return fault->what != REPLAY || scanner->scan.in_batch;
}

const Fault *fault_find(const Scanner *scanner, Call call, int load, int image, int64_t from) {
  const Fault *found = NULL;
  for (int i = 0; i < scanner->model.fault_count; i++) {
    const Fault *fault = &scanner->model.faults[i];
    bool is_here = (!fault->load || fault->load == load) && (!fault->image || fault->image == image);
    if (fault->call == call && is_here && fault->byte >= from && (!found || fault->byte < found->byte) &&
        is_possible(scanner, fault) && !is_exhausted(scanner, fault))
      found = fault;
  }
  return found;
}

void fault_count(const Scanner *scanner, const Fault *fault) {
  char name[MAX_ENTRY];
  fault_file(scanner, fault, name);
  int64_t before = hardware_number(&scanner->hardware, name);
  hardware_set_number(&scanner->hardware, name, before < 0 ? 1 : before + 1);
  hardware_log(&scanner->hardware, "fault", ", \"call\": \"%s\", \"what\": \"%s\"", call_names[fault->call],
               config_what_name(fault->what));
}

/* Two sheets at once: the second one has gone through unseen. Whether that stops the feeder can be an option. */
static SANE_Status feed_double(Scanner *scanner) {
  Sheet unseen;
  bool has_unseen = hardware_next_sheet(&scanner->hardware, &unseen);
  if (has_unseen) hardware_take_sheet(&scanner->hardware, &unseen);
  hardware_log(&scanner->hardware, "double-feed", ", \"sheet\": %d, \"unseen\": %d", scanner->scan.sheet.number,
               has_unseen ? unseen.number : 0);
  options_note_double_feed(&scanner->options, true);
  bool stops = !scanner->model.double_feed_options || options_value(&scanner->options, OPTION_DF_ACTION) == DF_STOP;
  return stops ? SANE_STATUS_JAMMED : SANE_STATUS_GOOD;
}

/* Told after the fact: who reads of it may clear the jam at once. */
static void jam(const Scanner *scanner) {
  hardware_set_number(&scanner->hardware, "jam", 1);
  hardware_log(&scanner->hardware, "jammed", "%s", "");
}

SANE_Status fault_happen(Scanner *scanner, const Fault *fault) {
  fault_count(scanner, fault);
  SANE_Status status = (SANE_Status)fault->what;
  switch (fault->what) {
    case HANG:
      for (;;) pause();
    case HANG_UNTIL_CANCEL: pace_sleep_until_cancelled(&scanner->pace); return SANE_STATUS_CANCELLED;
    case CRASH:
      raise(SIGSEGV);
      abort(); /* somebody ignores it */
    case DOUBLE_FEED: status = feed_double(scanner);
  }
  if (status == SANE_STATUS_JAMMED) jam(scanner);
  if (status == SANE_STATUS_COVER_OPEN) hardware_set_number(&scanner->hardware, "cover", 1);
  return status;
}

void fault_arm(Scanner *scanner, int64_t from) {
  Scan *scan = &scanner->scan;
  int64_t frame_at = scan->length * scan->plane;
  scan->fault = fault_find(scanner, AT_READ, scan->has_sheet ? scan->sheet.load : 0, scan->number, frame_at + from);
  scan->fault_at = scan->fault ? scan->fault->byte - frame_at : -1;
}
