#include "paper.h"

#include <math.h>
#include <string.h>

#define UM_PER_INCH 25400.0

/* The sheet's length in pixels, or the picture's where it is the same but for rounding. */
static int fitting(int picture_px, int sheet_um, int dpi) {
  double sheet_px = sheet_um * dpi / UM_PER_INCH;
  if (picture_px && fabs(picture_px - sheet_px) < 1) return picture_px;
  return sheet_px < 1 ? 1 : (int)lround(sheet_px);
}

static bool open_picture(Paper *paper, const char *path) {
  paper->content = PICTURE;
  if (!picture_open(&paper->picture, path)) return false;
  paper->channels = paper->picture.channels;
  return true;
}

bool paper_open(Paper *paper, const Sheet *sheet, Side side, int x_dpi, int y_dpi) {
  memset(paper, 0, sizeof *paper);
  paper->picture.file = -1;
  paper->channels = sheet->content[side] == DRAWN ? DRAWING_CHANNELS : 1;
  if (sheet->content[side] == PICTURE && !open_picture(paper, sheet->picture[side])) return false;
  const Picture *picture = &paper->picture;
  paper->content = sheet->content[side];
  paper->width_px = fitting(picture->width_px, sheet->width_um, x_dpi);
  paper->height_px = fitting(picture->height_px, sheet->height_um, y_dpi);
  drawing_make(&paper->drawing, sheet->number, side == BACK, x_dpi, y_dpi, paper->width_px, paper->height_px);
  paper->is_marked = sheet->is_marked;
  mark_make(&paper->mark, sheet->load, sheet->number, side == BACK, x_dpi, y_dpi);
  paper->is_scaled = paper->content == PICTURE &&
                     (paper->width_px != picture->width_px || paper->height_px != picture->height_px);
  return !paper->is_scaled || resampler_open(&paper->resampler, picture, paper->width_px, paper->height_px);
}

void paper_close(Paper *paper) {
  resampler_close(&paper->resampler);
  picture_close(&paper->picture);
}

static bool print_content(Paper *paper, int y, uint16_t *samples) {
  if (paper->is_scaled) return resampler_row(&paper->resampler, y, samples);
  if (paper->content == PICTURE) return picture_row(&paper->picture, y, samples);
  if (paper->content == DRAWN) drawing_row(&paper->drawing, y, samples);
  else memset(samples, 0xFF, (size_t)paper->width_px * sizeof *samples);
  return true;
}

bool paper_row(Paper *paper, int y, uint16_t *samples) {
  if (!print_content(paper, y, samples)) return false;
  if (paper->is_marked) mark_print(&paper->mark, y, samples, paper->width_px, paper->channels);
  return true;
}

const Picture *paper_plain(const Paper *paper, int y) {
  bool is_printed_over = paper->is_marked && y >= paper->mark.y_px[0] && y < paper->mark.y_px[MARK_DOWN];
  bool is_plain = paper->content == PICTURE && !paper->is_scaled && paper->picture.maximum == 255;
  return is_plain && !is_printed_over ? &paper->picture : NULL;
}
