/* A scanner in use: what it is, its hardware, its options, and the image under way. */
#ifndef DSMSIM_SCANNER_H
#define DSMSIM_SCANNER_H

#include <sane/sane.h>

#include "config.h"
#include "cost.h"
#include "hardware.h"
#include "image.h"
#include "options.h"
#include "pace.h"

#define PLANES 3

typedef enum { IDLE, DELIVERING, DELIVERED } Stage;

typedef struct {
  Stage stage;
  bool in_batch;      /* since the last sane_cancel something was fed */
  bool has_sheet;     /* false: the glass is empty */
  bool is_missing;    /* no sheet came, which only the first read says */
  Sheet sheet;
  Side side;
  bool has_back;      /* both sides of the sheet are scanned, and this is the front */
  int number;         /* of the image within the load, both sides counted if both are scanned; 0: none yet */
  int plane;          /* of three-pass colour */
  Image image;
  SANE_Parameters parameters;
  int64_t offset, length; /* octets of the frame */
  uint8_t *line;          /* of which only a part was asked for */
  int line_number;
  int64_t ended_ns; /* when the last image did */
  const Fault *fault; /* the next one to come, at this octet of the frame */
  int64_t fault_at;
} Scan;

typedef struct {
  Model model;
  Hardware hardware;
  Options options;
  bool has_options;            /* of an earlier opening */
  char listed[MAX_ADDRESS];    /* where sane_init found it */
  char opened_at[MAX_ADDRESS]; /* "": closed */
  Source last_source;
  bool has_last_source;
  Pace pace;
  Scan scan;
  Cost cost; /* since it was opened */
} Scanner;

/* The calls of SANE by the same names. Only scanner_cancel may be made beside another one, also by a signal handler. */
SANE_Status scanner_open(Scanner *scanner);
void scanner_close(Scanner *scanner);
SANE_Status scanner_start(Scanner *scanner);
SANE_Status scanner_read(Scanner *scanner, SANE_Byte *data, SANE_Int room, SANE_Int *length);
void scanner_cancel(Scanner *scanner);
void scanner_parameters(const Scanner *scanner, SANE_Parameters *parameters);

/* IO_ERROR if it is no longer where it was when it was opened. */
SANE_Status scanner_presence(Scanner *scanner);
bool scanner_is_feeder(const Scanner *scanner);
/* JAMMED or COVER_OPEN, about which only a feeder cares. */
SANE_Status scanner_path_status(const Scanner *scanner);
SANE_Parameters scanner_frame_parameters(const Wanted *wanted, const Model *model);

void scanner_drop_image(Scanner *scanner);
/* What is under way goes out of the scanner unseen. */
void scanner_end_batch(Scanner *scanner);

/* Log the status unless it is GOOD or EOF, and return it. */
SANE_Status scanner_told(const Scanner *scanner, Call call, SANE_Status status);
void scanner_log_image(const Scanner *scanner, const char *event, const char *amount, int64_t number);

#endif
