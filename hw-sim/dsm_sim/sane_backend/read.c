/* sane_read: lines as they become available. */
#include <string.h>

#include "fault.h"
#include "scanner.h"

static SANE_Status fill(Scanner *scanner, SANE_Byte *data, int64_t count) {
  Scan *scan = &scanner->scan;
  int line_bytes = scan->parameters.bytes_per_line;
  while (count) {
    int number = (int)(scan->offset / line_bytes), within = (int)(scan->offset % line_bytes);
    bool is_whole = !within && count >= line_bytes;
    if (is_whole ? !image_line(&scan->image, number, data)
                 : scan->line_number != number && !image_line(&scan->image, number, scan->line))
      return SANE_STATUS_IO_ERROR;
    int64_t part = line_bytes - within < count ? line_bytes - within : count;
    if (!is_whole) {
      scan->line_number = number;
      memcpy(data, scan->line + within, (size_t)part);
    }
    data += part;
    count -= part;
    scan->offset += part;
  }
  return SANE_STATUS_GOOD;
}

static SANE_Status end_image(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  scan->stage = DELIVERED;
  scan->ended_ns = now_ns();
  scanner_log_image(scanner, "image-end", "bytes", scan->offset);
  return SANE_STATUS_EOF;
}

/* Wait for lines. GOOD: there are some. */
static SANE_Status wait_for_lines(Scanner *scanner, int64_t *available) {
  const Scan *scan = &scanner->scan;
  int lines = scan->image.wanted.lines, line_bytes = scan->parameters.bytes_per_line;
  for (;;) {
    *available = (int64_t)pace_available(&scanner->pace, lines) * line_bytes;
    if (*available > scan->offset) return SANE_STATUS_GOOD;
    if (!pace_wait(&scanner->pace, lines)) return SANE_STATUS_CANCELLED;
    SANE_Status status = scanner_presence(scanner);
    if (!status) status = scanner_path_status(scanner);
    if (status) return status;
  }
}

static SANE_Status meet_read_fault(Scanner *scanner) {
  const Fault *fault = scanner->scan.fault;
  SANE_Status status = fault_happen(scanner, fault);
  fault_arm(scanner, scanner->scan.offset + 1);
  return status;
}

static SANE_Status deliver(Scanner *scanner, SANE_Byte *data, int64_t room, SANE_Int *length) {
  Scan *scan = &scanner->scan;
  SANE_Status status = SANE_STATUS_GOOD;
  if (scan->fault && scan->fault_at <= scan->offset) status = meet_read_fault(scanner);
  if (status) return status;
  if (scan->offset == scan->length) return end_image(scanner);
  int64_t available;
  status = wait_for_lines(scanner, &available);
  if (status) return status;
  if (scan->fault && scan->fault_at < available) available = scan->fault_at;
  int64_t count = available - scan->offset < room ? available - scan->offset : room;
  status = fill(scanner, data, count);
  *length = status ? 0 : (SANE_Int)count;
  return status;
}

/* The state in which a frame can be read, or why there is nothing to read. */
static SANE_Status reading_status(Scanner *scanner) {
  Scan *scan = &scanner->scan;
  if (atomic_load(&scanner->pace.is_cancelled)) return SANE_STATUS_CANCELLED;
  if (scan->stage != DELIVERING) return scan->stage == DELIVERED ? SANE_STATUS_EOF : SANE_STATUS_INVAL;
  SANE_Status status = scanner_presence(scanner);
  if (!status && scan->is_missing) status = SANE_STATUS_NO_DOCS;
  return status ? status : scanner_path_status(scanner);
}

SANE_Status scanner_read(Scanner *scanner, SANE_Byte *data, SANE_Int room, SANE_Int *length) {
  *length = 0;
  SANE_Status status = reading_status(scanner);
  if (!status && room > 0) status = deliver(scanner, data, room, length);
  if (status == SANE_STATUS_GOOD || status == SANE_STATUS_EOF) return status;
  scanner->scan.is_missing = false;
  scanner_end_batch(scanner);
  return scanner_told(scanner, AT_READ, status);
}
