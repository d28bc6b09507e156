/* The faults of the configuration, each of which happens in one call. */
#ifndef DSMSIM_FAULT_H
#define DSMSIM_FAULT_H

#include "scanner.h"

/* The fault that comes first in this call, from this octet of the image on; NULL: none that can happen. */
const Fault *fault_find(const Scanner *scanner, Call call, int load, int image, int64_t from);
/* The next one of the frame under way, from this octet of it on. */
void fault_arm(Scanner *scanner, int64_t from);
void fault_count(const Scanner *scanner, const Fault *fault);
/* What it does to the call in which it happens; GOOD: the call goes on. */
SANE_Status fault_happen(Scanner *scanner, const Fault *fault);

#endif
