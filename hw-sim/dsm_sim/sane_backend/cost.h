/* What the simulation itself costs, which is no cost of the program that scans: the processor's time of the thread in
 * sane_start and sane_read, where nearly all of it arises. */
#ifndef DSMSIM_COST_H
#define DSMSIM_COST_H

#include <stdint.h>

typedef struct {
  int64_t started_ns;
  int64_t timed_ns, timed_octets; /* of the reads that were timed */
  int64_t octets, next_timed;     /* of all reads, and from how many on one is timed again */
} Cost;

int64_t cost_begin_start(void);
void cost_end_start(Cost *cost, int64_t began_ns);
/* -1: this one is not timed. */
int64_t cost_begin_read(const Cost *cost);
void cost_end_read(Cost *cost, int64_t began_ns, int octets);

/* All of it until now, reckoned from the reads that were timed. */
int64_t cost_us(const Cost *cost);

#endif
