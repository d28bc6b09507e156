"""The rules that a device's messages are held against.

Level ``must`` breaks interoperability with some console; ``should`` is a form that the known consoles live with.
"""

from __future__ import annotations

from typing import Final

from dsm_sim.peers.rule import Rule

# ----------------------------------------------------------------------------------------------- HTTP
NO_ANSWER: Final = Rule("no-answer", "Every request is answered in time", "SOAP 1.2 Part 2, 7.5; WSDAPI")
HTTP_MALFORMED: Final = Rule("http-malformed", "An answer is well-formed HTTP/1.1, and whole", "RFC 9112")
HTTP_STATUS: Final = Rule(
    "http-status",
    "The status is 200 for an answer, 400 for a fault of the sender, 500 for one of the receiver",
    "SOAP 1.2 Part 2, table 20",
    "should",
)
HTTP_MEDIA_TYPE: Final = Rule(
    "http-media-type", "A message is application/soap+xml", "SOAP 1.2 Part 2, 7.1.4; DPWS 1.0, 3.3"
)
HTTP_CHARSET: Final = Rule("http-charset", "Content-Type names charset=utf-8", "RFC 3902, 2", "should")
HTTP_LENGTH: Final = Rule("http-length", "An answer has a Content-Length", "RFC 9110, 8.6", "should")
HTTP_CODING: Final = Rule(
    "http-coding", "An answer is not compressed: nobody asked for it", "RFC 9110, 12.5.3; DPWS 1.0"
)

# ------------------------------------------------------------------------------------------- envelope
ENVELOPE_SIZE: Final = Rule(
    "envelope-size", "An envelope has at most 32,767 octets", "DPWS 1.0 R0026 (MAX_ENVELOPE_SIZE)"
)
DATAGRAM_SIZE: Final = Rule(
    "datagram-size",
    "A datagram has at most 4,096 octets",
    "DPWS 1.0 R0029; SOAP-over-UDP 1.1, MAX_UDP_ENVELOPE_SIZE",
    "should",
)
XML_WELL_FORMED: Final = Rule("xml-well-formed", "A message is well-formed XML", "SOAP 1.2 Part 1, 5")
XML_ENCODING: Final = Rule("xml-encoding", "A message is in UTF-8", "RFC 3902, 2", "should")
XML_DTD: Final = Rule("xml-dtd", "No DTD and no processing instruction", "SOAP 1.2 Part 1, 5")
XML_DEPTH: Final = Rule("xml-depth", "Elements are nested at most 64 deep", "the console's own limit", "should")
SOAP_VERSION: Final = Rule("soap-version", "The envelope is of SOAP 1.2", "DPWS 1.0, 3.4; SOAP 1.2 Part 1, 5")
SOAP_STRUCTURE: Final = Rule(
    "soap-structure",
    "An envelope has one Header, then one Body with at most one element",
    "SOAP 1.2 Part 1, 5.1; WSDL 1.1 document/literal",
)
SOAP_UNDERSTAND: Final = Rule(
    "soap-must-understand",
    "No header demands to be understood that no console knows",
    "SOAP 1.2 Part 1, 5.2.3",
)
WSA_ONCE: Final = Rule(
    "wsa-once", "wsa:Action stands there once; no other addressing header twice", "WS-Addressing 3.1"
)
WSA_ACTION: Final = Rule(
    "wsa-action", "The action of an answer is the request's and Response", "WS-DSD operations; WS-Addressing 3.3.2"
)
WSA_MESSAGE_ID: Final = Rule(
    "wsa-message-id", "wsa:MessageID is urn:uuid: and a UUID", "WS-Addressing 3.1; DPWS 1.0, 3.5", "should"
)
WSA_UNIQUE: Final = Rule("wsa-unique", "wsa:MessageID is fresh in each message", "WS-Addressing 3.1")
WSA_RELATES_TO: Final = Rule(
    "wsa-relates-to",
    "wsa:RelatesTo is the request's MessageID, and stands on answers only",
    "WS-Addressing 3.3.2; WSDAPI",
)
WSA_TO: Final = Rule(
    "wsa-to",
    "wsa:To is anonymous on an answer, the discovery URN on a multicast, NotifyTo's address on an event",
    "WS-Addressing 3.1; WS-Discovery 4.1; WS-Eventing 4.1",
)
BODY_NAME: Final = Rule(
    "body-name", "The body is the one that the action names, in the namespace of the request", "WS-DSD operations"
)
BODY_SCHEMA: Final = Rule("body-schema", "The body follows its schema", "WS-DSD operations; WS-Scan")

# --------------------------------------------------------------------------------------------- faults
FAULT_ACTION: Final = Rule(
    "fault-action", "A fault's action is that of its vocabulary", "WS-Addressing 4; WS-Discovery 5; DPWS 1.0, 6.1"
)
FAULT_STRUCTURE: Final = Rule(
    "fault-structure",
    "A fault has Code, a qualified Subcode, a Reason with language; Detail holds elements only",
    "SOAP 1.2 Part 1, 5.4; WS-DSD faults",
)
FAULT_CODE: Final = Rule(
    "fault-code", "A fault's code is the one that goes with its subcode", "WS-Scan faults; WS-Eventing 6", "should"
)
FAULT_EXPECTED: Final = Rule(
    "fault-expected", "A wrong request is refused with the fault for it", "WS-DSD faults; WS-Eventing 6"
)
FAULT_UNEXPECTED: Final = Rule("fault-unexpected", "A right request is not refused", "WS-DSD operations")

# ------------------------------------------------------------------------------------------ discovery
MATCH_ABSENT: Final = Rule(
    "match-absent", "A Probe that matches and a Resolve of the own address are answered", "WS-Discovery 5.3, 6"
)
MATCH_TIME: Final = Rule(
    "match-time", "ProbeMatches come within 2.5 s", "DPWS 1.0, APP_MAX_DELAY; WSDAPI specification compliance"
)
MATCH_FOREIGN: Final = Rule(
    "match-foreign",
    "By UDP there is no answer to a Probe or Resolve that does not match; by HTTP it is empty",
    "WS-Discovery 5.3, 6; DPWS 1.0, 4",
)
MATCH_ORDER: Final = Rule(
    "match-order",
    "EndpointReference, Types, Scopes, XAddrs, MetadataVersion stand in this order",
    "WS-Discovery 4.1 (schema)",
)
UDP_REPEAT: Final = Rule(
    "udp-repeat", "A message is sent twice at most", "DPWS 1.0, appendix I (UNICAST_UDP_REPEAT)", "should"
)
ENDPOINT_ADDRESS: Final = Rule(
    "endpoint-address",
    "The endpoint address is urn:uuid: and a UUID in lower case, with https the XAddr itself; the same everywhere",
    "DPWS 1.0 R0004, R0005; WSDAPI secure channel",
)
TYPES: Final = Rule(
    "types",
    "Types name wsdp:Device and wscn:ScanDeviceType, with prefixes that are bound",
    "DPWS 1.0, 4; WS-Scan discovery",
)
TYPES_PREFIX: Final = Rule(
    "types-prefix", "Types use the prefixes wsdp and wscn", "observed: clients compare the text", "should"
)
XADDRS_ABSENT: Final = Rule(
    "xaddrs-absent", "Hello and matches name an XAddr", "observed: clients drop them without", "should"
)
XADDRS_URL: Final = Rule(
    "xaddrs-url",
    "Every XAddr is an http or https URL with a host and without a zone",
    "WS-Discovery 4.1; RFC 3986",
)
XADDRS_MIXED: Final = Rule(
    "xaddrs-mixed", "XAddrs are all http or all https", "WSDAPI: a mixed list is ignored as a whole"
)
XADDRS_REACHABLE: Final = Rule(
    "xaddrs-reachable",
    "The first XAddr is at the address that the answer came from",
    "WSDAPI: only the first usable one is tried",
    "should",
)
APP_SEQUENCE: Final = Rule(
    "app-sequence", "Announcements and matches have wsd:AppSequence with both numbers", "WS-Discovery, appendix I"
)
INSTANCE_ID: Final = Rule("instance-id", "InstanceId does not fall", "WS-Discovery, appendix I; WSDAPI")
MESSAGE_NUMBER: Final = Rule(
    "message-number",
    "MessageNumber rises with each message of an instance; a repetition has the same",
    "WS-Discovery, appendix I; WSDAPI",
)
METADATA_VERSION: Final = Rule(
    "metadata-version", "MetadataVersion is there and does not fall", "WS-Discovery 4.1; WSDAPI"
)

# ------------------------------------------------------------------------------------------- metadata
METADATA_SECTIONS: Final = Rule(
    "metadata-sections",
    "Metadata are ThisDevice, ThisModel and Relationship, once each, in this order",
    "DPWS 1.0, 5.1, 5.2; WSDAPI",
)
METADATA_REQUIRED: Final = Rule(
    "metadata-required",
    "FriendlyName, Manufacturer and ModelName are there and not empty",
    "DPWS 1.0, 5.1; WSDAPI",
)
METADATA_COMPLETE: Final = Rule(
    "metadata-complete",
    "SerialNumber, ManufacturerUrl, ModelNumber, ModelUrl and PresentationUrl are there",
    "observed: a known client fails without",
    "should",
)
METADATA_STABLE: Final = Rule(
    "metadata-stable", "Metadata change only with MetadataVersion", "DPWS 1.0, 5.1; WS-Discovery 4.1"
)
TEXT_LENGTH: Final = Rule(
    "text-length", "Names and model fields have fewer than 256 characters", "DPWS 1.0, 5.1 (MAX_FIELD_SIZE)"
)
URI_SIZE: Final = Rule("uri-size", "A URI has at most 2,048 octets", "DPWS 1.0 R0027 (MAX_URI_SIZE)")
DEVICE_CATEGORY: Final = Rule(
    "device-category", "ThisModel has pnpx:DeviceCategory with Scanners or MFP", "PnP-X 3.1", "should"
)
RELATIONSHIP_TYPE: Final = Rule(
    "relationship-type", "The relationship is that of host and hosted", "DPWS 1.0, 5.2"
)
HOSTED_SCANNER: Final = Rule(
    "hosted-scanner", "A hosted service has the type wscn:ScannerServiceType", "WS-Scan, service type"
)
HOSTED_ADDRESS: Final = Rule(
    "hosted-address",
    "A hosted service has an http or https URL at the host that answered",
    "DPWS 1.0, 5.2; WSDAPI",
)
HOSTED_ORDER: Final = Rule(
    "hosted-order", "EndpointReference, Types, ServiceId stand in this order, then extensions", "DPWS 1.0, 5.2"
)
SERVICE_ID: Final = Rule("service-id", "Each hosted service has a ServiceId of its own", "DPWS 1.0, 5.2")
PNPX_IDS: Final = Rule(
    "pnpx-ids", "Hosted services have pnpx:CompatibleId and pnpx:HardwareId", "PnP-X 3.2", "should"
)

# ------------------------------------------------------------------------------------- scanner elements
ELEMENT_ORDER: Final = Rule(
    "element-order",
    "There is one ElementData for each Name, in the order of the request",
    "WS-DSC GetConfiguration, by analogy; WS-DSD GetScannerElements",
)
ELEMENT_CONTENT: Final = Rule(
    "element-content",
    "ElementData holds the element that Name says and Valid is true, or nothing and Valid is false",
    "WS-Scan ElementData",
)
ELEMENT_KNOWN: Final = Rule(
    "element-known",
    "The names of WS-DSD are valid; a name that nobody knows is not, and is no fault",
    "WS-DSD GetScannerElements, GetJobElements",
)
SCANNER_NAME: Final = Rule(
    "scanner-name", "ScannerName is the FriendlyName of the device", "WS-Scan ScannerName", "should"
)
CONFIG_SOURCES: Final = Rule(
    "config-sources", "There is a Platen, an ADF or a Film", "WS-Scan ScannerConfiguration"
)
CONFIG_DUPLEX: Final = Rule("config-duplex", "ADFBack stands only beside ADFSupportsDuplex true", "WS-Scan ADF")
CONFIG_RANGES: Final = Rule(
    "config-ranges",
    "No minimum is above its maximum; scaling includes 100 and rotation 0",
    "WS-Scan DeviceSettings",
)
CONFIG_UNIQUE: Final = Rule("config-unique", "No value is listed twice", "WS-Scan ScannerConfiguration", "should")
CONFIG_RESOLUTIONS: Final = Rule(
    "config-resolutions",
    "Widths and Heights of each source have a value in common",
    "observed: a known client rejects the device",
    "should",
)
CONFIG_COLOR: Final = Rule(
    "config-color",
    "Each source offers Grayscale8 or RGB24",
    "observed: a known client rejects the device",
    "should",
)
CONFIG_PORTRAIT: Final = Rule(
    "config-portrait",
    "The maximum width of a source is not above its height",
    "observed: a known client swaps them",
    "should",
)
STATUS_REASONS: Final = Rule(
    "status-reasons", "State reasons are not repeated, and None stands alone", "WS-Scan ScannerStateReasons"
)
STATUS_STATE: Final = Rule(
    "status-state", "With an active Critical condition the state is Stopped", "WS-Scan ScannerState", "should"
)
CONDITION_ID: Final = Rule(
    "condition-id", "Each condition has a wscn:Id of its own", "WS-Scan DeviceCondition, ConditionHistoryEntry"
)
TIME_UTC: Final = Rule("time-utc", "Times are UTC and end in Z", "WS-Scan ScannerCurrentTime", "should")

# -------------------------------------------------------------------------------------------- tickets
TICKET_COMPLETE: Final = Rule(
    "ticket-complete",
    "The default ticket has a value for each option that the configuration offers",
    "WS-Scan DefaultScanTicket",
)
TICKET_SUPPORTED: Final = Rule(
    "ticket-supported", "Every value of the default ticket is in the configuration", "WS-Scan DefaultScanTicket"
)
TICKET_VALID: Final = Rule(
    "ticket-valid",
    "The default ticket, one with a supported value, and a corrected one are valid when sent back",
    "WS-Scan DefaultScanTicket, ValidScanTicket",
)
OVERRIDE_PLACE: Final = Rule(
    "override-place", "Override and UsedDefault stand in DocumentFinalParameters only", "WS-Scan Override"
)
VALIDATION_VERDICT: Final = Rule(
    "validation-verdict", "A ticket that cannot be honoured is not valid", "WS-Scan ValidateScanTicket"
)
VALIDATION_CORRECTED: Final = Rule(
    "validation-corrected",
    "ValidScanTicket is there if, and only if, the ticket is not valid",
    "WS-Scan ValidationInfo",
)
VALIDATION_KEPT: Final = Rule(
    "validation-kept",
    "ValidScanTicket has what was sent, with nothing but invalid values changed",
    "WS-Scan ValidScanTicket",
)
VALIDATION_REPLACED: Final = Rule(
    "validation-replaced",
    "An invalid value becomes the nearest bound or listed value, an unknown word the default ticket's",
    "WS-Scan ValidScanTicket (example)",
    "should",
)
IMAGE_SIZE: Final = Rule(
    "image-size",
    "ImageInformation is that of the image that the ticket gives; all 0 for a ticket that is not valid",
    "WS-Scan ImageInformation; device independent bitmap: rows of 4 octets",
)
IMAGE_BACK: Final = Rule(
    "image-back",
    "MediaBackImageInfo is there if, and only if, the source is ADFDuplex",
    "WS-Scan ImageInformation",
)

# ----------------------------------------------------------------------------------------------- jobs
JOB_STATES: Final = Rule(
    "job-states",
    "Active jobs have not ended, those in the history have; only ended ones have a completion time",
    "WS-Scan GetActiveJobs, GetJobHistory, JobStatus",
)
JOB_IDS: Final = Rule("job-ids", "A JobId is in a list once", "WS-Scan JobId")
JOB_ORDER: Final = Rule(
    "job-order", "The history is in ascending order", "WS-Scan GetJobHistory (example)", "should"
)
JOB_ASKED: Final = Rule("job-asked", "JobStatus is that of the job asked for", "WS-Scan GetJobElements")

# ------------------------------------------------------------------------------------------- eventing
MANAGER: Final = Rule(
    "subscription-manager", "SubscriptionManager has an http or https address", "WS-Eventing 3.1; DPWS 1.0, 6.1"
)
EXPIRES: Final = Rule(
    "expires",
    "Expires is a duration above 0 and not above what was asked or granted",
    "WS-Eventing 3; DPWS 1.0, 6.1",
)
EVENT_REFERENCE: Final = Rule(
    "event-reference", "An event has the reference parameters of NotifyTo as headers", "WS-Addressing 2.3"
)
EVENT_ACTION: Final = Rule("event-action", "The action of an event is one that the filter names", "DPWS 1.0, 6.1")
EVENT_NAMESPACE: Final = Rule(
    "event-namespace",
    "An event is of WS-DSD where its service is, else of WS-Scan",
    "WS-DSD events; WS-Scan events",
    "should",
)
EVENT_ORDER: Final = Rule("event-order", "Nothing is said of a job after its JobEndStateEvent", "WS-DSD events")
EVENT_AFTER_END: Final = Rule(
    "event-after-end", "No event is sent to a subscription that has ended", "WS-Eventing 3.4, 3.5"
)
SUBSCRIPTION_END: Final = Rule(
    "subscription-end", "SubscriptionEnd's Status is one of the three URIs", "WS-Eventing 3.5"
)

RULES: Final[tuple[Rule, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
