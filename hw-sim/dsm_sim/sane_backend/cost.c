#include "cost.h"

#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define US_NS 1000
/* This clock takes the kernel's help, as long as some kilobytes take to copy: timing every read would be a good part of
 * what it measures. One read in so many octets stands for the others. */
#define TIMED_EVERY_OCTETS (1 << 20)

static int64_t cpu_ns(void) {
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * SECOND_NS + used.tv_nsec;
}

int64_t cost_begin_start(void) { return cpu_ns(); }

void cost_end_start(Cost *cost, int64_t began_ns) { cost->started_ns += cpu_ns() - began_ns; }

int64_t cost_begin_read(const Cost *cost) { return cost->octets >= cost->next_timed ? cpu_ns() : -1; }

void cost_end_read(Cost *cost, int64_t began_ns, int octets) {
  cost->octets += octets;
  if (began_ns < 0) return;
  int64_t ended_ns = cpu_ns(), clock_ns = cpu_ns() - ended_ns;
  int64_t spent_ns = ended_ns - began_ns - clock_ns;
  cost->timed_ns += spent_ns > 0 ? spent_ns : 0;
  cost->timed_octets += octets;
  cost->next_timed = cost->octets + TIMED_EVERY_OCTETS;
}

int64_t cost_us(const Cost *cost) {
  double share = cost->timed_octets ? (double)cost->octets / (double)cost->timed_octets : 1;
  return (int64_t)((double)cost->started_ns + (double)cost->timed_ns * share) / US_NS;
}
