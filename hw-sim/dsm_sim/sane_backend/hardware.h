/* The hardware of a scanner: a folder that outlives processes.
 *
 *   address          where it is plugged in; absent: nowhere
 *   cover, jam       there while the cover is open, while paper is jammed
 *   asleep           how many openings have failed since it fell asleep; absent: it is awake
 *   warm-at          when the lamp is warm, in nanoseconds of CLOCK_MONOTONIC
 *   feeder/NUMBER    the sheets, the lowest number first
 *   glass            the sheet on the glass
 *   buttons/NAME     there from a press until it is read
 *   faults/NUMBER    how often that fault has happened
 *   lock             held by the process that has the scanner open
 *   log.jsonl        everything that happens, one object a line
 *
 * Files come and go by rename and unlink alone, so that nobody ever sees half of one. A change of a file in the
 * folder itself changes the folder's time of modification, by which one look tells that there is nothing new.
 */
#ifndef DSMSIM_HARDWARE_H
#define DSMSIM_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "config.h"

#define MAX_ADDRESS 32
#define MAX_ENTRY 32

typedef enum { FRONT, BACK } Side;
typedef enum { BLANK, DRAWN, PICTURE } Content;

typedef struct {
  int load, number; /* the number counts within the load, from 1 */
  int width_um, height_um;
  bool is_marked;
  Content content[2];
  char picture[2][MAX_PATH];
  char entry[MAX_ENTRY]; /* its file in the feeder */
} Sheet;

typedef struct {
  int folder, log, lock; /* descriptors; -1: none */
  struct timespec seen;
  char address[MAX_ADDRESS]; /* "" while unplugged */
  bool cover_open, jammed;
} Hardware;

int64_t now_ns(void);

bool hardware_attach(Hardware *hardware, const char *folder);
void hardware_detach(Hardware *hardware);

/* Bring address, cover_open and jammed up to date. */
void hardware_look(Hardware *hardware);

/* Exclusive use, which the kernel ends with the process. */
bool hardware_lock(Hardware *hardware);
void hardware_unlock(Hardware *hardware);

/* The next sheet of the feeder, which stays there until it is taken. False: there is none. */
bool hardware_next_sheet(const Hardware *hardware, Sheet *sheet);
void hardware_take_sheet(const Hardware *hardware, const Sheet *sheet);
bool hardware_has_sheets(const Hardware *hardware);
bool hardware_glass(const Hardware *hardware, Sheet *sheet);

/* Whether the button was pressed since it was asked for. */
bool hardware_pressed(const Hardware *hardware, const char *button);

/* A number kept in a file of the folder; -1: no such file. A negative one removes it. */
int64_t hardware_number(const Hardware *hardware, const char *name);
void hardware_set_number(const Hardware *hardware, const char *name, int64_t number);

/* Add a line to the log: the event, then members of a JSON object, as in ", \"image\": %d". Whole numbers and known
 * words only: it is called from signal handlers too. */
__attribute__((format(printf, 3, 4))) void hardware_log(const Hardware *hardware, const char *event,
                                                        const char *members, ...);

#endif
