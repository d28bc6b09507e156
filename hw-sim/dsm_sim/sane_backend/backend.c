/* The calls of SANE under the names by which libsane's dll backend looks for them (SANE standard 1.06, 4.3). */
#include <stdlib.h>
#include <string.h>

#include "scanner.h"

#define EXPORT __attribute__((visibility("default")))

/* By this the library is known to be made of these sources. */
__attribute__((used)) static const char sources_digest[] = SOURCES_DIGEST;

EXPORT SANE_Status sane_dsmsim_init(SANE_Int *version, SANE_Auth_Callback authorize);
EXPORT void sane_dsmsim_exit(void);
EXPORT SANE_Status sane_dsmsim_get_devices(const SANE_Device ***list, SANE_Bool local_only);
EXPORT SANE_Status sane_dsmsim_open(SANE_String_Const name, SANE_Handle *handle);
EXPORT void sane_dsmsim_close(SANE_Handle handle);
EXPORT const SANE_Option_Descriptor *sane_dsmsim_get_option_descriptor(SANE_Handle handle, SANE_Int number);
EXPORT SANE_Status sane_dsmsim_control_option(SANE_Handle handle, SANE_Int number, SANE_Action action, void *value,
                                              SANE_Int *info);
EXPORT SANE_Status sane_dsmsim_get_parameters(SANE_Handle handle, SANE_Parameters *parameters);
EXPORT SANE_Status sane_dsmsim_start(SANE_Handle handle);
EXPORT SANE_Status sane_dsmsim_read(SANE_Handle handle, SANE_Byte *data, SANE_Int room, SANE_Int *length);
EXPORT void sane_dsmsim_cancel(SANE_Handle handle);
EXPORT SANE_Status sane_dsmsim_set_io_mode(SANE_Handle handle, SANE_Bool non_blocking);
EXPORT SANE_Status sane_dsmsim_get_select_fd(SANE_Handle handle, SANE_Int *descriptor);

/* How often the devices were listed: each listing begins with another scanner where the quirk says so. */
#define LISTINGS "listings"

static Scanner *scanners;
static int scanner_count;
static SANE_Device devices[MAX_SCANNERS];
static const SANE_Device *listed[MAX_SCANNERS + 1];
static char addresses[MAX_SCANNERS][MAX_ADDRESS];

static bool attach(Scanner *scanner, const Model *model) {
  scanner->model = *model;
  if (!hardware_attach(&scanner->hardware, model->folder)) return false;
  hardware_look(&scanner->hardware);
  strcpy(scanner->listed, scanner->hardware.address);
  return true;
}

SANE_Status sane_dsmsim_init(SANE_Int *version, SANE_Auth_Callback authorize) {
  (void)authorize;
  if (version) *version = SANE_VERSION_CODE(SANE_CURRENT_MAJOR, SANE_CURRENT_MINOR, 0);
  Model *models = calloc(MAX_SCANNERS, sizeof *models);
  scanners = calloc(MAX_SCANNERS, sizeof *scanners);
  int count = models && scanners ? config_read(models) : -1;
  scanner_count = 0;
  for (int i = 0; i < count; i++)
    if (attach(&scanners[scanner_count], &models[i])) scanner_count++;
  free(models);
  return count < 0 ? SANE_STATUS_INVAL : SANE_STATUS_GOOD;
}

void sane_dsmsim_exit(void) {
  for (int i = 0; i < scanner_count; i++) {
    if (*scanners[i].opened_at) scanner_close(&scanners[i]);
    hardware_log(&scanners[i].hardware, "exit", "%s", "");
    hardware_detach(&scanners[i].hardware);
  }
  free(scanners);
  scanners = NULL;
  scanner_count = 0;
}

/* Where the backend believes that it is: some look once, in sane_init. */
static const char *known_address(Scanner *scanner) {
  hardware_look(&scanner->hardware);
  return scanner->model.frozen_list ? scanner->listed : scanner->hardware.address;
}

static int first_listed(void) {
  if (!scanner_count || !scanners[0].model.rotating_list) return 0;
  int64_t listings = hardware_number(&scanners[0].hardware, LISTINGS) + 1;
  hardware_set_number(&scanners[0].hardware, LISTINGS, listings);
  return (int)(listings % scanner_count);
}

SANE_Status sane_dsmsim_get_devices(const SANE_Device ***list, SANE_Bool local_only) {
  (void)local_only;
  int count = 0, first = first_listed();
  for (int i = 0; i < scanner_count; i++) {
    Scanner *scanner = &scanners[(first + i) % scanner_count];
    strcpy(addresses[count], known_address(scanner));
    if (!*addresses[count]) continue;
    const Model *model = &scanner->model;
    devices[count] = (SANE_Device){addresses[count], model->vendor, model->model, model->kind};
    listed[count] = &devices[count];
    count++;
  }
  listed[count] = NULL;
  *list = listed;
  return SANE_STATUS_GOOD;
}

static Scanner *find(const char *name) {
  for (int i = 0; i < scanner_count; i++) {
    const char *address = known_address(&scanners[i]);
    if (*address && (!*name || !strcmp(name, address))) return &scanners[i];
  }
  return NULL;
}

SANE_Status sane_dsmsim_open(SANE_String_Const name, SANE_Handle *handle) {
  Scanner *scanner = find(name);
  if (!scanner) return SANE_STATUS_INVAL;
  if (strcmp(known_address(scanner), scanner->hardware.address)) return SANE_STATUS_IO_ERROR;
  if (*scanner->opened_at) return SANE_STATUS_DEVICE_BUSY;
  *handle = scanner;
  return scanner_open(scanner);
}

void sane_dsmsim_close(SANE_Handle handle) { scanner_close(handle); }

const SANE_Option_Descriptor *sane_dsmsim_get_option_descriptor(SANE_Handle handle, SANE_Int number) {
  const Option *option = options_at(&((Scanner *)handle)->options, number);
  return option ? &option->descriptor : NULL;
}

SANE_Status sane_dsmsim_control_option(SANE_Handle handle, SANE_Int number, SANE_Action action, void *value,
                                       SANE_Int *info) {
  Scanner *scanner = handle;
  if (info) *info = 0;
  const Option *option = options_at(&scanner->options, number);
  if (!option || !value || option->descriptor.cap & SANE_CAP_INACTIVE) return SANE_STATUS_INVAL;
  SANE_Status status = scanner_presence(scanner);
  if (status) return status;
  if (action == SANE_ACTION_GET_VALUE) return options_get(&scanner->options, number, &scanner->hardware, value);
  if (action != SANE_ACTION_SET_VALUE) return SANE_STATUS_INVAL;
  bool is_busy = scanner->scan.stage == DELIVERING && !atomic_load(&scanner->pace.is_cancelled);
  return is_busy ? SANE_STATUS_DEVICE_BUSY : options_set(&scanner->options, number, value, info);
}

SANE_Status sane_dsmsim_get_parameters(SANE_Handle handle, SANE_Parameters *parameters) {
  if (parameters) scanner_parameters(handle, parameters);
  return SANE_STATUS_GOOD;
}

SANE_Status sane_dsmsim_start(SANE_Handle handle) {
  Scanner *scanner = handle;
  int64_t began_ns = cost_begin_start();
  SANE_Status status = scanner_start(scanner);
  cost_end_start(&scanner->cost, began_ns);
  return status;
}

SANE_Status sane_dsmsim_read(SANE_Handle handle, SANE_Byte *data, SANE_Int room, SANE_Int *length) {
  Scanner *scanner = handle;
  int64_t began_ns = cost_begin_read(&scanner->cost);
  SANE_Status status = scanner_read(scanner, data, room, length);
  cost_end_read(&scanner->cost, began_ns, *length);
  return status;
}

void sane_dsmsim_cancel(SANE_Handle handle) { scanner_cancel(handle); }

SANE_Status sane_dsmsim_set_io_mode(SANE_Handle handle, SANE_Bool non_blocking) {
  (void)handle;
  return non_blocking ? SANE_STATUS_UNSUPPORTED : SANE_STATUS_GOOD;
}

SANE_Status sane_dsmsim_get_select_fd(SANE_Handle handle, SANE_Int *descriptor) {
  (void)handle;
  (void)descriptor;
  return SANE_STATUS_UNSUPPORTED;
}
