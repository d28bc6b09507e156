#include "resampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The weights of one sample add up to this; with 16 bits of a sample they stay within 32. */
#define WHOLE (1 << 14)

static void average(Taps *taps, uint16_t *weights, int i, double ratio, int from) {
  double begin = i * ratio, end = (i + 1) * ratio;
  taps->first = (int)begin;
  int last = (int)ceil(end) - 1;
  if (last >= from) last = from - 1;
  taps->count = last - taps->first + 1;
  long given = 0;
  for (int k = 0; k < taps->count; k++) {
    /* Rounding what has been covered so far, rather than each part, makes the sum exact. */
    double covered = fmin(taps->first + k + 1, end) - begin;
    long so_far = k == taps->count - 1 ? WHOLE : lround(covered / ratio * WHOLE);
    weights[k] = (uint16_t)(so_far - given);
    given = so_far;
  }
}

static void interpolate(Taps *taps, uint16_t *weights, int i, double ratio, int from) {
  double centre = fmin(fmax((i + 0.5) * ratio - 0.5, 0), from - 1);
  taps->first = (int)centre;
  taps->count = taps->first + 1 < from ? 2 : 1;
  weights[1] = taps->count == 2 ? (uint16_t)lround((centre - taps->first) * WHOLE) : 0;
  weights[0] = (uint16_t)(WHOLE - weights[1]);
}

static bool make_axis(Axis *axis, int from, int to) {
  double ratio = (double)from / to;
  size_t most = (size_t)ceil(ratio) + 2;
  axis->taps = calloc((size_t)to, sizeof *axis->taps);
  axis->weights = calloc((size_t)to * most, sizeof *axis->weights);
  if (!axis->taps || !axis->weights) return false;
  for (int i = 0; i < to; i++) {
    uint16_t *weights = axis->weights + (size_t)i * most;
    (ratio > 1 ? average : interpolate)(&axis->taps[i], weights, i, ratio, from);
    axis->taps[i].weights = weights;
  }
  return true;
}

bool resampler_open(Resampler *resampler, const Picture *picture, int width_px, int height_px) {
  size_t samples = (size_t)picture->width_px * (size_t)picture->channels;
  *resampler = (Resampler){.picture = picture, .width_px = width_px, .row_numbers = {-1, -1}};
  for (int i = 0; i < 2; i++) resampler->rows[i] = malloc(samples * sizeof **resampler->rows);
  resampler->sums = malloc(samples * sizeof *resampler->sums);
  return make_axis(&resampler->across, picture->width_px, width_px) &&
         make_axis(&resampler->along, picture->height_px, height_px) && resampler->rows[0] && resampler->rows[1] &&
         resampler->sums;
}

void resampler_close(Resampler *resampler) {
  free(resampler->across.taps);
  free(resampler->across.weights);
  free(resampler->along.taps);
  free(resampler->along.weights);
  free(resampler->rows[0]);
  free(resampler->rows[1]);
  free(resampler->sums);
  memset(resampler, 0, sizeof *resampler);
}

static const uint16_t *picture_row_kept(Resampler *resampler, int y) {
  int place = y & 1;
  if (resampler->row_numbers[place] != y) {
    if (!picture_row(resampler->picture, y, resampler->rows[place])) return NULL;
    resampler->row_numbers[place] = y;
  }
  return resampler->rows[place];
}

static bool combine_rows(Resampler *resampler, const Taps *taps, size_t samples) {
  uint32_t *sums = resampler->sums;
  memset(sums, 0, samples * sizeof *sums);
  for (int k = 0; k < taps->count; k++) {
    const uint16_t *row = picture_row_kept(resampler, taps->first + k);
    uint32_t weight = taps->weights[k];
    if (!row) return false;
    for (size_t i = 0; i < samples; i++) sums[i] += weight * row[i];
  }
  return true;
}

bool resampler_row(Resampler *resampler, int y, uint16_t *samples) {
  int channels = resampler->picture->channels;
  size_t count = (size_t)resampler->picture->width_px * (size_t)channels;
  if (!combine_rows(resampler, &resampler->along.taps[y], count)) return false;
  for (int x = 0; x < resampler->width_px; x++) {
    const Taps *taps = &resampler->across.taps[x];
    for (int channel = 0; channel < channels; channel++) {
      const uint32_t *sums = resampler->sums + taps->first * channels + channel;
      uint64_t sum = 0;
      for (int k = 0; k < taps->count; k++) sum += (uint64_t)taps->weights[k] * (sums[k * channels] / WHOLE);
      *samples++ = (uint16_t)(sum / WHOLE);
    }
  }
  return true;
}
