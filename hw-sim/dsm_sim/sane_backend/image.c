#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MM_PER_INCH 25.4
#define WHITE 0xFFFF
/* What stands in padding: no colour that a reader could overlook. */
#define PADDING 0xA5

/* ----------------------------------------------------------------------------------------- what is wanted */

static int pixels(SANE_Fixed length, int dpi) { return (int)lround(SANE_UNFIX(length) * dpi / MM_PER_INCH); }

/* An area whose far edge is before the near one is empty: whoever sets one edge after the other passes through such. */
static int between(SANE_Fixed near, SANE_Fixed far, int dpi) { return far > near ? pixels(far - near, dpi) : 0; }

static int line_bytes(const Wanted *wanted, int channels) {
  return (int)(((int64_t)wanted->width_px * channels * wanted->depth + 7) / 8);
}

static int resolution(const Options *options, OptionId id, const Model *model) {
  return model->delivered_dpi ? model->delivered_dpi : options_value(options, id);
}

Wanted wanted_from(const Options *options, const Model *model) {
  bool is_fed = options_source(options) == ADF || options_source(options) == ADF_DUPLEX;
  Wanted wanted = {
      .x_dpi = resolution(options, OPTION_X_RESOLUTION, model),
      .y_dpi = resolution(options, OPTION_Y_RESOLUTION, model),
      .mode = options_mode(options),
      .depth = options_depth(options),
      .background = is_fed ? model->feeder_background : 255,
      .brightness = options_value(options, OPTION_BRIGHTNESS),
      .contrast = options_value(options, OPTION_CONTRAST),
      .sharpness = options_value(options, OPTION_SHARPNESS),
      .threshold = options_value(options, OPTION_THRESHOLD),
  };
  SANE_Fixed left = options_value(options, OPTION_TL_X), top = options_value(options, OPTION_TL_Y);
  wanted.left_px = pixels(left, wanted.x_dpi);
  wanted.top_px = pixels(top, wanted.y_dpi);
  wanted.width_px = between(left, options_value(options, OPTION_BR_X), wanted.x_dpi);
  wanted.lines = between(top, options_value(options, OPTION_BR_Y), wanted.y_dpi);
  wanted.plane = wanted.mode == COLOR && model->three_pass ? 0 : -1;
  wanted.bytes_per_line = line_bytes(&wanted, wanted.mode == COLOR && wanted.plane < 0 ? 3 : 1) + model->line_padding;
  return wanted;
}

/* ------------------------------------------------------------------------------------------ open and close */

static uint16_t clipped(double level) { return level <= 0 ? 0 : level >= WHITE ? WHITE : (uint16_t)lround(level); }

/* Brightness moves all levels by up to half the range, contrast turns them round the middle: -100 is all grey. */
static bool make_levels(Image *image) {
  const Wanted *wanted = &image->wanted;
  if (!wanted->brightness && !wanted->contrast) return true;
  image->levels = malloc((WHITE + 1) * sizeof *image->levels);
  if (!image->levels) return false;
  double slope = wanted->contrast < 100 ? tan((wanted->contrast + 100) * 3.14159265358979 / 400) : 1e6;
  double middle = WHITE / 2.0;
  for (int i = 0; i <= WHITE; i++)
    image->levels[i] = clipped((i - middle) * slope + middle + wanted->brightness / 200.0 * WHITE);
  return true;
}

static bool make_rows(Image *image) {
  size_t count = (size_t)image->wanted.width_px * (size_t)image->channels;
  bool complete = true;
  for (int i = 0; i < 3; i++) {
    image->row_numbers[i] = -1;
    image->rows[i] = malloc(count * sizeof **image->rows);
    complete = complete && image->rows[i];
  }
  image->sharpened = malloc(count * sizeof *image->sharpened);
  if (!image->has_paper) return complete && image->sharpened;
  size_t samples = (size_t)image->paper.width_px * (size_t)image->paper.channels;
  image->paper_samples = malloc(samples * sizeof *image->paper_samples);
  return complete && image->sharpened && image->paper_samples;
}

bool image_open(Image *image, const Wanted *wanted, const Sheet *sheet, Side side) {
  memset(image, 0, sizeof *image);
  image->wanted = *wanted;
  image->channels = wanted->mode == COLOR && wanted->plane < 0 ? 3 : 1;
  image->has_paper = sheet != NULL;
  bool is_open = !sheet || paper_open(&image->paper, sheet, side, wanted->x_dpi, wanted->y_dpi);
  if (is_open && make_levels(image) && make_rows(image)) return true;
  image_close(image);
  return false;
}

void image_close(Image *image) {
  if (image->has_paper) paper_close(&image->paper);
  for (int i = 0; i < 3; i++) free(image->rows[i]);
  free(image->sharpened);
  free(image->paper_samples);
  free(image->levels);
  memset(image, 0, sizeof *image);
}

/* -------------------------------------------------------------------------------------------------- samples */

/* The pixels of the sheet's row that lie in the window. */
typedef struct {
  int from, count;
} Part;

static Part visible(const Image *image) {
  const Wanted *wanted = &image->wanted;
  Part part = {wanted->left_px, image->paper.width_px - wanted->left_px};
  if (part.count <= 0) return (Part){0, 0};
  if (part.count > wanted->width_px) part.count = wanted->width_px;
  return part;
}

static void turn_row(uint16_t *samples, int width_px, int channels) {
  for (int left = 0, right = width_px - 1; left < right; left++, right--)
    for (int channel = 0; channel < channels; channel++) {
      uint16_t *one = &samples[left * channels + channel], *other = &samples[right * channels + channel];
      uint16_t kept = *one;
      *one = *other;
      *other = kept;
    }
}

/* Rec. 601, as scanners and libjpeg have it. */
static uint16_t luminance(const uint16_t *rgb) {
  return (uint16_t)((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2]) >> 16);
}

static void convert(const Image *image, const uint16_t *from, uint16_t *to, int count) {
  int plane = image->wanted.plane;
  if (image->paper.channels == image->channels)
    memcpy(to, from, (size_t)count * (size_t)image->channels * sizeof *to);
  else if (image->channels == 3)
    for (int i = 0; i < count; i++) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
  else if (plane >= 0)
    for (int i = 0; i < count; i++) to[i] = from[3 * i + plane];
  else
    for (int i = 0; i < count; i++) to[i] = luminance(from + 3 * i);
}

static void fill(uint16_t *samples, int count, int level) {
  for (int i = 0; i < count; i++) samples[i] = (uint16_t)(level * 257);
}

static int paper_line(const Image *image, int y) {
  int line = y + image->wanted.top_px;
  return image->wanted.is_upside_down ? image->paper.height_px - 1 - line : line;
}

static bool see_paper(Image *image, int line, uint16_t *samples) {
  const Paper *paper = &image->paper;
  Part part = visible(image);
  if (!paper_row(&image->paper, line, image->paper_samples)) return false;
  if (image->wanted.is_upside_down) turn_row(image->paper_samples, paper->width_px, paper->channels);
  convert(image, image->paper_samples + part.from * paper->channels, samples, part.count);
  int rest = image->wanted.width_px - part.count;
  fill(samples + part.count * image->channels, rest * image->channels, image->wanted.background);
  return true;
}

static bool see(Image *image, int y, uint16_t *samples) {
  int count = image->wanted.width_px * image->channels;
  int line = image->has_paper ? paper_line(image, y) : -1;
  if (line < 0 || line >= image->paper.height_px) fill(samples, count, image->wanted.background);
  else if (!see_paper(image, line, samples)) return false;
  for (int i = 0; image->levels && i < count; i++) samples[i] = image->levels[samples[i]];
  return true;
}

static const uint16_t *kept_row(Image *image, int y) {
  int place = y % 3;
  if (image->row_numbers[place] != y) {
    if (!see(image, y, image->rows[place])) return NULL;
    image->row_numbers[place] = y;
  }
  return image->rows[place];
}

/* Away from the mean of its four neighbours, or towards it. */
static uint16_t sharper(int here, int around, int percent) {
  int level = here + (here - around / 4) * percent / 100;
  return (uint16_t)(level < 0 ? 0 : level > WHITE ? WHITE : level);
}

static const uint16_t *sharpened_row(Image *image, int y) {
  int step = image->channels, count = image->wanted.width_px * step;
  const uint16_t *above = kept_row(image, y ? y - 1 : 0), *row = kept_row(image, y);
  const uint16_t *below = kept_row(image, y + 1 < image->wanted.lines ? y + 1 : y);
  if (!above || !row || !below) return NULL;
  for (int i = 0; i < count; i++) {
    int left = row[i < step ? i : i - step], right = row[i + step < count ? i + step : i];
    image->sharpened[i] = sharper(row[i], above[i] + below[i] + left + right, image->wanted.sharpness);
  }
  return image->sharpened;
}

/* ---------------------------------------------------------------------------------------------------- octets */

/* Threshold of an ordered dither of 8 by 8, 0 to 63. */
static int bayer(int x, int y) {
  int mixed = x ^ y, value = 0;
  for (int bit = 0; bit < 3; bit++) value = value << 2 | (mixed >> bit & 1) << 1 | (y >> bit & 1);
  return value;
}

static void pack_bits(const Image *image, int y, const uint16_t *samples, uint8_t *line) {
  const Wanted *wanted = &image->wanted;
  int limits[8];
  for (int x = 0; x < 8; x++)
    limits[x] = wanted->mode == HALFTONE ? (2 * bayer(x, y & 7) + 1) * (WHITE + 1) / 128
                                         : wanted->threshold * WHITE / 100;
  memset(line, 0, (size_t)line_bytes(wanted, 1));
  for (int x = 0; x < wanted->width_px; x++)
    if (samples[x] < limits[x & 7]) line[x >> 3] |= (uint8_t)(0x80 >> (x & 7));
}

static void pack(const Image *image, int y, const uint16_t *samples, uint8_t *line) {
  int count = image->wanted.width_px * image->channels;
  if (image->wanted.depth == 16) memcpy(line, samples, (size_t)count * sizeof *samples);
  else if (image->wanted.depth == 1) pack_bits(image, y, samples, line);
  else
    for (int i = 0; i < count; i++) line[i] = (uint8_t)(samples[i] >> 8);
}

/* Straight from the file where nothing is to be done to a line. 1: done; 0: something is; -1: not readable. */
static int copy_line(const Image *image, int y, uint8_t *line) {
  const Wanted *wanted = &image->wanted;
  bool is_changed = wanted->is_upside_down || image->levels || wanted->sharpness || wanted->depth != 8;
  if (is_changed || !image->has_paper || image->paper.channels != image->channels) return 0;
  int row = paper_line(image, y);
  const Picture *picture = row < image->paper.height_px ? paper_plain(&image->paper, row) : NULL;
  if (!picture) return 0;
  Part part = visible(image);
  size_t pixel = (size_t)image->channels, from = (size_t)part.from * pixel, count = (size_t)part.count * pixel;
  memset(line + count, wanted->background, (size_t)(wanted->width_px - part.count) * pixel);
  return !count || picture_octets(picture, row, from, count, line) ? 1 : -1;
}

bool image_line(Image *image, int y, uint8_t *line) {
  int used = line_bytes(&image->wanted, image->channels);
  memset(line + used, PADDING, (size_t)(image->wanted.bytes_per_line - used));
  int copied = copy_line(image, y, line);
  if (copied) return copied > 0;
  const uint16_t *samples = image->wanted.sharpness ? sharpened_row(image, y) : kept_row(image, y);
  if (!samples) return false;
  pack(image, y, samples, line);
  return true;
}
