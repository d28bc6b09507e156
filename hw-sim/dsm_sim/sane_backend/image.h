/* What the sensor sees of a side: the lines that SANE delivers. */
#ifndef DSMSIM_IMAGE_H
#define DSMSIM_IMAGE_H

#include <sane/sane.h>

#include "options.h"
#include "paper.h"

typedef struct {
  int x_dpi, y_dpi;
  int left_px, top_px, width_px, lines; /* of the sheet; outside of it is the scanner's background */
  Mode mode;
  int depth;                /* bits a sample */
  int plane;                /* 0 red, 1 green, 2 blue; -1: all */
  int bytes_per_line;       /* with padding */
  int background;           /* 0 black to 255 white */
  bool is_upside_down;
  int brightness, contrast, sharpness, threshold; /* percent */
} Wanted;

typedef struct {
  Wanted wanted;
  bool has_paper;
  Paper paper;
  int channels; /* delivered */
  uint16_t *paper_samples;
  uint16_t *rows[3]; /* the latest, for neighbours; number -1: none */
  int row_numbers[3];
  uint16_t *sharpened;
  uint16_t *levels; /* what becomes of a sample by brightness and contrast; NULL: nothing */
} Image;

/* What options say about the image, 0 pixels or lines if the area is empty; the sheet's end and the frame are up to the
 * caller. */
Wanted wanted_from(const Options *options, const Model *model);

/* Without a sheet there is only background. False: the picture cannot be read, or no memory. */
bool image_open(Image *image, const Wanted *wanted, const Sheet *sheet, Side side);
void image_close(Image *image);

/* Line y, wanted.bytes_per_line long. */
bool image_line(Image *image, int y, uint8_t *line);

#endif
