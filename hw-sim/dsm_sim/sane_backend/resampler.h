/* Pictures in another size: averaging over areas where it shrinks, bilinear where it grows. */
#ifndef DSMSIM_RESAMPLER_H
#define DSMSIM_RESAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "picture.h"

/* Which samples make one, and how much of each. */
typedef struct {
  int first, count;
  const uint16_t *weights;
} Taps;

typedef struct {
  Taps *taps;
  uint16_t *weights;
} Axis;

typedef struct {
  const Picture *picture;
  int width_px;
  Axis across, along;
  uint16_t *rows[2]; /* of the picture, kept since neighbours share them */
  int row_numbers[2];
  uint32_t *sums;
} Resampler;

/* False: no memory. */
bool resampler_open(Resampler *resampler, const Picture *picture, int width_px, int height_px);
void resampler_close(Resampler *resampler);
bool resampler_row(Resampler *resampler, int y, uint16_t *samples);

#endif
