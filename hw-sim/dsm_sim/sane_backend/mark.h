/* What tells a machine which side it looks at: printed on the paper, 4 mm from the left and the upper edge.
 *
 * Cells of 2 mm, 17 across and 9 down, the outermost of them blank: a square finder of 7 by 7 (rings 1 black, 1 white,
 * a core of 3), a blank column, and 7 by 7 cells, row by row, black for 1: 10 bits load, 14 bits sheet, 1 bit side
 * (1: back), and the CRC-24 of RFC 4880 (6.1) over these 25 bits as four octets, most significant first.
 */
#ifndef DSMSIM_MARK_H
#define DSMSIM_MARK_H

#include <stdbool.h>
#include <stdint.h>

#define MARK_ACROSS 17
#define MARK_DOWN 9

typedef struct {
  bool is_black[MARK_DOWN][MARK_ACROSS];
  int x_px[MARK_ACROSS + 1], y_px[MARK_DOWN + 1]; /* where the cells begin */
} Mark;

void mark_make(Mark *mark, int load, int sheet, bool is_back, int x_dpi, int y_dpi);

/* Print what row y has of it over samples of 16 bits. */
void mark_print(const Mark *mark, int y, uint16_t *row, int width_px, int channels);

#endif
