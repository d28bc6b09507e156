#include "drawing.h"

#include <stdio.h>
#include <string.h>

#define UM_PER_INCH 25400
#define UM_PER_MM 1000
#define RULER_AT_MM 1 /* rulers keep to the margin, beside the mark */

typedef struct {
  uint16_t red, green, blue;
} Colour;

static const Colour black = {0, 0, 0}, grey = {0x9999, 0x9999, 0x9999};
static const Colour patches[] = {{0xFFFF, 0, 0},      {0, 0xFFFF, 0},      {0, 0, 0xFFFF},
                                 {0, 0xFFFF, 0xFFFF}, {0xFFFF, 0, 0xFFFF}, {0xFFFF, 0xFFFF, 0}};
#define PATCHES ((int)(sizeof patches / sizeof *patches))

/* Seven segments: top, right above, right below, bottom, left below, left above, middle. */
static const struct {
  char letter;
  unsigned char segments;
} glyphs[] = {{'0', 0x3F}, {'1', 0x06}, {'2', 0x5B}, {'3', 0x4F}, {'4', 0x66}, {'5', 0x6D},
              {'6', 0x7D}, {'7', 0x07}, {'8', 0x7F}, {'9', 0x6F}, {'F', 0x71}, {'b', 0x7C}};
/* Their places in a cell of 4 by 7 strokes: left, top, right, bottom. */
static const int segment_boxes[7][4] = {{0, 0, 4, 1}, {3, 0, 4, 4}, {3, 3, 4, 7}, {0, 6, 4, 7},
                                        {0, 3, 1, 7}, {0, 0, 1, 4}, {0, 3, 4, 4}};

void drawing_make(Drawing *drawing, int sheet, bool is_back, int x_dpi, int y_dpi, int width_px, int height_px) {
  *drawing = (Drawing){.width_px = width_px, .height_px = height_px, .x_dpi = x_dpi, .y_dpi = y_dpi};
  snprintf(drawing->label, sizeof drawing->label, "%d%c", sheet % 100000, is_back ? 'b' : 'F');
}

static void fill(const Drawing *drawing, uint16_t *samples, int from_px, int to_px, Colour colour) {
  if (from_px < 0) from_px = 0;
  if (to_px > drawing->width_px) to_px = drawing->width_px;
  for (int x = from_px; x < to_px; x++) memcpy(samples + x * DRAWING_CHANNELS, &colour, sizeof colour);
}

static int pixels(int mm, int dpi) { return (int)((int64_t)mm * UM_PER_MM * dpi / UM_PER_INCH); }

static int tick_mm(int mm) { return mm % 10 == 0 ? 3 : mm % 5 == 0 ? 2 : 1; }

static void draw_upper_ruler(const Drawing *drawing, int y, uint16_t *samples) {
  for (int mm = RULER_AT_MM; pixels(mm, drawing->x_dpi) < drawing->width_px; mm++)
    if (y < pixels(tick_mm(mm), drawing->y_dpi))
      fill(drawing, samples, pixels(mm, drawing->x_dpi), pixels(mm, drawing->x_dpi) + 1, black);
}

static void draw_left_ruler(const Drawing *drawing, int y, uint16_t *samples) {
  int mm = (int)((int64_t)(y + 1) * UM_PER_INCH / drawing->y_dpi / UM_PER_MM);
  if (mm >= RULER_AT_MM && y == pixels(mm, drawing->y_dpi))
    fill(drawing, samples, 0, pixels(tick_mm(mm), drawing->x_dpi), black);
}

/* A line from corner to corner: it has a step where a row or a column is missing. */
static void draw_diagonal(const Drawing *drawing, int y, uint16_t *samples) {
  int x = (int)((int64_t)y * drawing->width_px / drawing->height_px);
  fill(drawing, samples, x - 1, x + 2, grey);
}

static unsigned segments_of(char letter) {
  for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
    if (glyphs[i].letter == letter) return glyphs[i].segments;
  return 0;
}

static void draw_glyph(const Drawing *drawing, unsigned segments, int stroke, int left_px, int stroke_px,
                       uint16_t *samples) {
  for (int i = 0; i < 7; i++) {
    const int *box = segment_boxes[i];
    if (segments >> i & 1 && stroke >= box[1] && stroke < box[3])
      fill(drawing, samples, left_px + box[0] * stroke_px, left_px + box[2] * stroke_px, black);
  }
}

/* As wide as half the sheet, its middle a third down. */
static void draw_label(const Drawing *drawing, int y, uint16_t *samples) {
  int letters = (int)strlen(drawing->label);
  int across_px = drawing->width_px / 2 / (5 * letters);
  int down_px = (int)((int64_t)across_px * drawing->y_dpi / drawing->x_dpi);
  int top_px = drawing->height_px / 3 - 7 * down_px / 2;
  if (down_px < 1 || y < top_px || y >= top_px + 7 * down_px) return;
  for (int i = 0; i < letters; i++)
    draw_glyph(drawing, segments_of(drawing->label[i]), (y - top_px) / down_px,
               drawing->width_px / 4 + 5 * i * across_px, across_px, samples);
}

static void draw_patches(const Drawing *drawing, uint16_t *samples) {
  for (int i = 0; i < PATCHES; i++) {
    int edge_px = drawing->width_px / (PATCHES + 2);
    fill(drawing, samples, (i + 1) * edge_px, (i + 2) * edge_px, patches[i]);
  }
}

static void draw_gradient(const Drawing *drawing, uint16_t *samples) {
  int left_px = drawing->width_px / 8, right_px = drawing->width_px - left_px;
  for (int x = left_px; x < right_px; x++) {
    uint16_t level = (uint16_t)((int64_t)(x - left_px) * 0xFFFF / (right_px - left_px));
    fill(drawing, samples, x, x + 1, (Colour){level, level, level});
  }
}

void drawing_row(const Drawing *drawing, int y, uint16_t *samples) {
  memset(samples, 0xFF, (size_t)drawing->width_px * DRAWING_CHANNELS * sizeof *samples);
  int hundredth = (int)((int64_t)y * 100 / drawing->height_px);
  if (hundredth >= 60 && hundredth < 66) draw_gradient(drawing, samples);
  if (hundredth >= 70 && hundredth < 76) draw_patches(drawing, samples);
  draw_label(drawing, y, samples);
  draw_diagonal(drawing, y, samples);
  draw_left_ruler(drawing, y, samples);
  if (y < pixels(tick_mm(0), drawing->y_dpi)) draw_upper_ruler(drawing, y, samples);
}
