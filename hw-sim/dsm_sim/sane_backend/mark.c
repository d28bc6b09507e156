#include "mark.h"

#include <string.h>

#define MARGIN_UM 4000
#define CELL_UM 2000
#define UM_PER_INCH 25400
#define DATA_COLUMN 9
#define DATA_EDGE 7
#define DATA_BITS (DATA_EDGE * DATA_EDGE)

static uint32_t crc24(uint32_t value) {
  uint32_t crc = 0xB704CE;
  for (int shift = 24; shift >= 0; shift -= 8) {
    crc ^= (value >> shift & 0xFF) << 16;
    for (int bit = 0; bit < 8; bit++) crc = crc << 1 ^ (crc & 0x800000 ? 0x1864CFB : 0);
  }
  return crc & 0xFFFFFF;
}

static bool is_finder(int row, int column) {
  if (row < 0 || row > 6 || column < 0 || column > 6) return false;
  bool on_ring = row == 0 || row == 6 || column == 0 || column == 6;
  return on_ring || (row > 1 && row < 5 && column > 1 && column < 5);
}

static void place_cells(int *starts_px, int cells, int dpi) {
  for (int i = 0; i <= cells; i++)
    starts_px[i] = (int)(((int64_t)(MARGIN_UM + i * CELL_UM) * dpi + UM_PER_INCH / 2) / UM_PER_INCH);
}

void mark_make(Mark *mark, int load, int sheet, bool is_back, int x_dpi, int y_dpi) {
  uint32_t told = (uint32_t)(load & 0x3FF) << 15 | (uint32_t)(sheet & 0x3FFF) << 1 | is_back;
  uint64_t bits = (uint64_t)told << 24 | crc24(told);
  memset(mark, 0, sizeof *mark);
  for (int row = 0; row < DATA_EDGE; row++)
    for (int column = 0; column < DATA_EDGE; column++) {
      mark->is_black[1 + row][1 + column] = is_finder(row, column);
      mark->is_black[1 + row][DATA_COLUMN + column] = bits >> (DATA_BITS - 1 - row * DATA_EDGE - column) & 1;
    }
  place_cells(mark->x_px, MARK_ACROSS, x_dpi);
  place_cells(mark->y_px, MARK_DOWN, y_dpi);
}

void mark_print(const Mark *mark, int y, uint16_t *row, int width_px, int channels) {
  if (y < mark->y_px[0] || y >= mark->y_px[MARK_DOWN] || width_px < mark->x_px[MARK_ACROSS]) return;
  int line = 0;
  while (y >= mark->y_px[line + 1]) line++;
  for (int cell = 0; cell < MARK_ACROSS; cell++)
    memset(row + mark->x_px[cell] * channels, mark->is_black[line][cell] ? 0 : 0xFF,
           (size_t)(mark->x_px[cell + 1] - mark->x_px[cell]) * (size_t)channels * sizeof *row);
}
