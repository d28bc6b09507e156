#include "pace.h"

#include <math.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hardware.h"

#define MINUTE_NS 60e9
#define SECOND_NS INT64_C(1000000000)
/* Ratings are for A4 upright, both sides in one pass. */
#define RATED_LENGTH_UM 297000
#define RATED_SIDES 2
#define GAP_UM 30000
#define UM_PER_INCH 25400
/* Lines come in bursts as over USB: waking up for each would cost more than the lines. */
#define BURST_NS (20 * 1000000)

bool pace_open(Pace *pace) {
  *pace = (Pace){.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  return pace->timer >= 0 && pace->wake >= 0;
}

void pace_close(Pace *pace) {
  if (pace->timer >= 0) close(pace->timer);
  if (pace->wake >= 0) close(pace->wake);
  pace->timer = pace->wake = -1;
}

static double sheet_ns(const Model *model) { return MINUTE_NS * RATED_SIDES / model->images_per_minute; }

static double ns_per_um(const Model *model) { return sheet_ns(model) / (RATED_LENGTH_UM + GAP_UM); }

void pace_feed(Pace *pace, const Model *model, bool follows_another, int images, int length_um) {
  int64_t now = now_ns(), begins = now;
  if (!model->images_per_minute) return;
  if (follows_another) {
    int64_t oldest = now - (int64_t)(model->buffered_images * sheet_ns(model) / images);
    int64_t next = pace->pass_begins_ns + pace->pass_lasts_ns;
    begins = next > oldest ? next : oldest;
  }
  pace->pass_begins_ns = begins;
  pace->pass_lasts_ns = (int64_t)(((double)length_um + GAP_UM) * ns_per_um(model));
}

void pace_lines(Pace *pace, const Model *model, int y_dpi, int top_px) {
  pace->line_ns = model->images_per_minute ? ns_per_um(model) * UM_PER_INCH / y_dpi : 0;
  pace->top_px = top_px;
}

static int64_t ready_ns(const Pace *pace, int line) {
  return pace->pass_begins_ns + (int64_t)ceil(((double)pace->top_px + line + 1) * pace->line_ns);
}

int pace_available(const Pace *pace, int lines) {
  if (pace->line_ns <= 0) return lines;
  double passed = (double)(now_ns() - pace->pass_begins_ns) / pace->line_ns - pace->top_px;
  return passed >= lines ? lines : passed > 0 ? (int)passed : 0;
}

bool pace_wait(Pace *pace, int lines) {
  int64_t burst_ends = now_ns() + BURST_NS, last = ready_ns(pace, lines - 1);
  return pace_sleep_until(pace, last < burst_ends ? last : burst_ends);
}

/* The flag alone says whether there was a sane_cancel; the event is there to wake this poll, and is emptied here only.
 * The flag is set before the event, so whoever empties the event and then looks at the flag overlooks nothing, and the
 * late event of a cancel that is forgotten already wakes once and no more. */
static void wait_for(Pace *pace, bool for_timer) {
  struct pollfd waited[] = {{.fd = pace->wake, .events = POLLIN}, {.fd = pace->timer, .events = POLLIN}};
  eventfd_t ignored;
  bool is_ready = poll(waited, for_timer ? 2 : 1, -1) > 0; /* or interrupted by a signal: the caller looks why */
  if (is_ready && waited[0].revents) eventfd_read(pace->wake, &ignored);
}

bool pace_sleep_until(Pace *pace, int64_t when_ns) {
  struct itimerspec when = {.it_value = {when_ns / SECOND_NS, when_ns % SECOND_NS}};
  timerfd_settime(pace->timer, TFD_TIMER_ABSTIME, &when, NULL);
  while (!atomic_load(&pace->is_cancelled) && now_ns() < when_ns) wait_for(pace, true);
  return !atomic_load(&pace->is_cancelled);
}

void pace_sleep_until_cancelled(Pace *pace) {
  while (!atomic_load(&pace->is_cancelled)) wait_for(pace, false);
}

void pace_cancel(Pace *pace) {
  atomic_store(&pace->is_cancelled, true);
  eventfd_write(pace->wake, 1);
}

bool pace_forget_cancel(Pace *pace) { return atomic_exchange(&pace->is_cancelled, false); }
