/* When lines of a moving sheet can be had, and waiting for them in a way that sane_cancel ends. */
#ifndef DSMSIM_PACE_H
#define DSMSIM_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

typedef struct {
  int timer, wake; /* descriptors: of an absolute time, and of sane_cancel */
  atomic_bool is_cancelled;
  int64_t pass_begins_ns, pass_lasts_ns; /* of the sheet under the sensor; 0 and 0: none before */
  double line_ns;                        /* 0: not paced */
  int top_px;
} Pace;

bool pace_open(Pace *pace);
void pace_close(Pace *pace);

/* A pass that brings so many images begins. The sheet after another follows at the paper's own pace as long as the
 * host is not later than the scanner's memory lasts. */
void pace_feed(Pace *pace, const Model *model, bool follows_another, int images, int length_um);
/* Lines of so many a inch are taken from it. */
void pace_lines(Pace *pace, const Model *model, int y_dpi, int top_px);
/* Of `lines`, so many can be had now. */
int pace_available(const Pace *pace, int lines);
/* Wait until some more of them can be had or the last one. False: cancelled. */
bool pace_wait(Pace *pace, int lines);

/* False: cancelled. */
bool pace_sleep_until(Pace *pace, int64_t when_ns);
void pace_sleep_until_cancelled(Pace *pace);

void pace_cancel(Pace *pace);
/* Whether there was one. */
bool pace_forget_cancel(Pace *pace);

#endif
