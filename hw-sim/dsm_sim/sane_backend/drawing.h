/* The test page: the number of the sheet and the letter of the side, and what shows missing rows and columns. */
#ifndef DSMSIM_DRAWING_H
#define DSMSIM_DRAWING_H

#include <stdbool.h>
#include <stdint.h>

#define DRAWING_CHANNELS 3

typedef struct {
  int width_px, height_px, x_dpi, y_dpi;
  char label[16]; /* digits and a letter, F or b */
} Drawing;

void drawing_make(Drawing *drawing, int sheet, bool is_back, int x_dpi, int y_dpi, int width_px, int height_px);

/* Row y as RGB samples of 16 bits. */
void drawing_row(const Drawing *drawing, int y, uint16_t *samples);

#endif
