/* What the simulated scanners are like: dsmsim.conf. */
#ifndef DSMSIM_CONFIG_H
#define DSMSIM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_SCANNERS 16
#define MAX_FAULTS 64
#define MAX_LIST 32
#define MAX_TEXT 128
#define MAX_PATH 1024

typedef enum { FLATBED, ADF, ADF_DUPLEX, FILM, SOURCES } Source;
typedef enum { LINEART, HALFTONE, GRAY, COLOR, MODES } Mode;

extern const char *const source_names[SOURCES];
extern const char *const mode_names[MODES];

typedef enum { AT_OPEN, AT_START, AT_READ, AT_CANCEL, AT_CLOSE, CALLS } Call;

extern const char *const call_names[CALLS];

/* What a fault does: a status of SANE, or one of these. */
enum { DOUBLE_FEED = 100, HANG, HANG_UNTIL_CANCEL, CRASH, REPLAY };

typedef struct {
  Call call;
  int what;
  int load, image; /* 0: any */
  int64_t byte;    /* of the image; counts in AT_READ only */
  int times;       /* 0: always */
} Fault;

/* Lengths are micrometres and times milliseconds: whole numbers read the same in every locale. */
typedef struct {
  char folder[MAX_PATH]; /* the hardware's state */
  char vendor[MAX_TEXT], model[MAX_TEXT], kind[MAX_TEXT], serial[MAX_TEXT];
  int sources, modes; /* one bit each */
  int depths[MAX_LIST], depth_count;
  int resolutions[MAX_LIST], resolution_count; /* of a range: minimum and maximum */
  int resolution_range, separate_resolutions;
  int glass_width_um, glass_height_um, feeder_width_um, feeder_height_um, film_width_um, film_height_um;
  int feeder_background; /* 0 black to 255 white */
  int images_per_minute; /* 0: as fast as the host reads */
  int buffered_images;

  int opening_fails, opening_fails_with;
  int warming_up_ms, warming_up_with;
  int frozen_list, rotating_list;
  int no_docs_late, hasty_start_ms;
  int backs_upside_down, delivered_dpi, page_size_first, line_padding, three_pass;
  int unknown_length, grey_tail_um;
  int inexact_um, keeps_options, source_change_ms, double_feed_options, leaked_bytes;
  Fault faults[MAX_FAULTS];
  int fault_count;
} Model;

/* The word for a status or for what else a fault does. */
const char *config_what_name(int what);

/* Read the first dsmsim.conf in the folders of SANE_CONFIG_DIR; the number of scanners, or -1 after a message. */
int config_read(Model models[MAX_SCANNERS]);

#endif
