/* One side of a sheet as pixels of the resolution that is wanted: what is printed on it, and its mark. */
#ifndef DSMSIM_PAPER_H
#define DSMSIM_PAPER_H

#include "drawing.h"
#include "hardware.h"
#include "mark.h"
#include "picture.h"
#include "resampler.h"

typedef struct {
  Content content;
  int width_px, height_px, channels;
  bool is_marked, is_scaled;
  Mark mark;
  Drawing drawing;
  Picture picture;
  Resampler resampler;
} Paper;

/* A picture whose pixels fit the sheet at this resolution is taken as it is. False: it cannot be read. */
bool paper_open(Paper *paper, const Sheet *sheet, Side side, int x_dpi, int y_dpi);
void paper_close(Paper *paper);

bool paper_row(Paper *paper, int y, uint16_t *samples);

/* The picture whose octets row y consists of, if there are 8 bits a sample and nothing is done to them; else NULL. */
const Picture *paper_plain(const Paper *paper, int y);

#endif
