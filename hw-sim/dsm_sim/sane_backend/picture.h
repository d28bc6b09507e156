/* A picture in a file: PNM of the kinds P4, P5 and P6, up to 16 bits a sample.
 *
 * Rows are read when they are wanted, straight from the page cache: neither memory nor address space grows with the
 * picture, and one that is cut short while it is read is no more than an error.
 */
#ifndef DSMSIM_PICTURE_H
#define DSMSIM_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  int file; /* -1: none */
  int width_px, height_px, channels, maximum;
  bool is_bilevel;
  off_t start;
  size_t row_bytes;
  uint8_t *row;
} Picture;

/* False after a message if it cannot be used. */
bool picture_open(Picture *picture, const char *path);
void picture_close(Picture *picture);

/* Row y as samples of 16 bits, 0 black. */
bool picture_row(const Picture *picture, int y, uint16_t *samples);
/* Octets of row y as they are in the file. */
bool picture_octets(const Picture *picture, int y, size_t from, size_t count, uint8_t *octets);

#endif
