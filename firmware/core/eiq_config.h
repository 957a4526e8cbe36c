/* Sizes of the core, all known when it is built. A build sets others with -D. */
#ifndef EIQ_CONFIG_H
#define EIQ_CONFIG_H
#include "models.h" /* by the build: sizes of the largest model */

#ifndef EIQ_MAX_FRAME
#define EIQ_MAX_FRAME 512 /* bytes of a message, both ways */
#endif
#define EIQ_MIN_FRAME 256 /* every description fits; a host that takes less is refused */
#ifndef EIQ_MAX_PARTS
#define EIQ_MAX_PARTS 32 /* an input that comes in pieces: so many runs of bytes with gaps between them */
#endif
#define EIQ_MAX_MISSING 16 /* eiq.erpc: parts that one reply names */
#ifndef EIQ_IDLE_MS
#define EIQ_IDLE_MS 50 /* after such a pause the rest of a frame comes no more */
#endif
#define EIQ_MAX_SENSORS 32

#if EIQ_MAX_FRAME < EIQ_MIN_FRAME || EIQ_MAX_FRAME > 65535 || EIQ_MAX_FRAME % 8
#error "EIQ_MAX_FRAME: a multiple of 8 from 256 to 65528, as a frame's size has 16 bits"
#endif
#if EIQ_MAX_PARTS < 1 || EIQ_IDLE_MS < 1
#error "EIQ_MAX_PARTS and EIQ_IDLE_MS: 1 at least"
#endif
#if !defined(EIQ_INPUT_BYTES) || !defined(EIQ_OUTPUT_BYTES)
#error "models.h lacks EIQ_INPUT_BYTES or EIQ_OUTPUT_BYTES, the largest blobs"
#endif
#endif
