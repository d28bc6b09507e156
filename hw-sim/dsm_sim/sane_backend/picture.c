#include "picture.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_HEADER 4096
#define MAX_EDGE_PX 200000

typedef struct {
  const char *at, *end;
} Header;

static void skip_blanks_and_comments(Header *header) {
  while (header->at < header->end && (isspace((unsigned char)*header->at) || *header->at == '#'))
    if (*header->at++ == '#')
      while (header->at < header->end && *header->at != '\n') header->at++;
}

static int next_number(Header *header) {
  int number = -1;
  skip_blanks_and_comments(header);
  for (; header->at < header->end && isdigit((unsigned char)*header->at) && number < MAX_EDGE_PX; header->at++)
    number = (number < 0 ? 0 : number) * 10 + (*header->at - '0');
  return number;
}

/* Source: pbm(5), pgm(5), ppm(5). */
static bool read_header(Picture *picture) {
  char text[MAX_HEADER];
  ssize_t length = pread(picture->file, text, sizeof text, 0);
  if (length < 3 || text[0] != 'P' || text[1] < '4' || text[1] > '6') return false;
  Header header = {text + 2, text + length};
  picture->is_bilevel = text[1] == '4';
  picture->channels = text[1] == '6' ? 3 : 1;
  picture->width_px = next_number(&header);
  picture->height_px = next_number(&header);
  picture->maximum = picture->is_bilevel ? 1 : next_number(&header);
  picture->start = header.at + 1 - text;
  size_t samples = (size_t)picture->width_px * (size_t)picture->channels;
  picture->row_bytes = picture->is_bilevel ? (samples + 7) / 8 : picture->maximum > 255 ? 2 * samples : samples;
  return picture->width_px > 0 && picture->width_px <= MAX_EDGE_PX && picture->height_px > 0 &&
         picture->height_px <= MAX_EDGE_PX && picture->maximum > 0 && picture->maximum <= 65535;
}

static bool is_whole(const Picture *picture) {
  struct stat found;
  return !fstat(picture->file, &found) &&
         found.st_size >= picture->start + (off_t)picture->row_bytes * picture->height_px;
}

bool picture_open(Picture *picture, const char *path) {
  memset(picture, 0, sizeof *picture);
  picture->file = open(path, O_RDONLY | O_CLOEXEC);
  if (picture->file >= 0 && read_header(picture) && is_whole(picture)) {
    posix_fadvise(picture->file, 0, 0, POSIX_FADV_SEQUENTIAL);
    picture->row = malloc(picture->row_bytes);
    if (picture->row) return true;
  }
  fprintf(stderr, "dsmsim: %s is no whole PNM file (P4, P5 or P6)\n", path);
  picture_close(picture);
  return false;
}

void picture_close(Picture *picture) {
  if (picture->file >= 0) close(picture->file);
  free(picture->row);
  picture->file = -1;
  picture->row = NULL;
}

bool picture_octets(const Picture *picture, int y, size_t from, size_t count, uint8_t *octets) {
  off_t at = picture->start + (off_t)picture->row_bytes * y + (off_t)from;
  return pread(picture->file, octets, count, at) == (ssize_t)count;
}

static uint16_t scaled(unsigned sample, unsigned maximum) {
  return sample >= maximum ? 0xFFFF : (uint16_t)(sample * 0xFFFFU / maximum);
}

bool picture_row(const Picture *picture, int y, uint16_t *samples) {
  const uint8_t *row = picture->row;
  unsigned maximum = (unsigned)picture->maximum;
  size_t count = (size_t)picture->width_px * (size_t)picture->channels;
  if (!picture_octets(picture, y, 0, picture->row_bytes, picture->row)) return false;
  if (picture->is_bilevel)
    for (size_t i = 0; i < count; i++) samples[i] = row[i / 8] >> (7 - i % 8) & 1 ? 0 : 0xFFFF;
  else if (maximum == 255)
    for (size_t i = 0; i < count; i++) samples[i] = (uint16_t)(row[i] * 257);
  else if (maximum < 256)
    for (size_t i = 0; i < count; i++) samples[i] = scaled(row[i], maximum);
  else
    for (size_t i = 0; i < count; i++) samples[i] = scaled((unsigned)row[2 * i] << 8 | row[2 * i + 1], maximum);
  return true;
}
